"""How devices prove who they are and reach each other; knows nothing of what they say: see identity and links."""
