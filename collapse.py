import sys,collections
