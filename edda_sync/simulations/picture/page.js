// Reading needs none of this: it only lets people look closer.
const frame = document.querySelector('.frame'), bar = document.querySelector('.zoom');
[1, 2, 4, 8].forEach(function (times) {
  const button = document.createElement('button');
  button.textContent = times + '×';
  button.onclick = function () {
    const middle = (frame.scrollLeft + frame.clientWidth / 2) / frame.scrollWidth;
    frame.firstElementChild.style.width = (100 * times) + '%';
    frame.scrollLeft = middle * frame.scrollWidth - frame.clientWidth / 2;
  };
  bar.append(button);
});
