// Runs in every page before its own scripts, and keeps in window.seen what becomes of its first video:
//   pictures, longest_gap_ms   how many were shown since forget(), and the longest time without a new one
//   emptied, errors, waits     how often the video lost its stream, failed, or ran out of media
//   states                     what the player page said of itself, once for each change
//   delays_ms                  how old each picture was when it was shown, if it shows the time (clock.py)
(() => {
  const BITS = 16;
  const seen = (window.seen = { since_last_ms: () => performance.now() - last });
  let last;
  seen.forget = () => {
    Object.assign(seen, { pictures: 0, longest_gap_ms: 0, emptied: 0, errors: [], waits: 0, states: [], delays_ms: [] });
    last = performance.now();
  };
  seen.forget();
  seen.clock = false; // the picture shows the time

  const canvas = document.createElement('canvas');
  const drawing = canvas.getContext('2d', { willReadFrequently: true });

  function delay_ms(video) {
    canvas.width = BITS;
    canvas.height = 1;
    // The middle of each of the squares of the first line.
    const side = video.videoWidth / BITS;
    drawing.drawImage(video, side * 0, side * 0.4, video.videoWidth, side * 0.2, 0, 0, BITS, 1);
    const { data } = drawing.getImageData(0, 0, BITS, 1);
    let shown = 0;
    for (let bit = 0; bit < BITS; bit++) shown |= (data[4 * bit] > 127) << bit;
    return (Math.floor(Date.now()) - shown) & (2 ** BITS - 1);
  }

  function watch(video) {
    const on_picture = (now) => {
      seen.pictures++;
      seen.longest_gap_ms = Math.max(seen.longest_gap_ms, now - last);
      last = now;
      if (seen.clock) seen.delays_ms.push(delay_ms(video));
      video.requestVideoFrameCallback(on_picture);
    };
    video.requestVideoFrameCallback(on_picture);
    video.addEventListener('emptied', () => seen.emptied++);
    video.addEventListener('waiting', () => seen.waits++);
    video.addEventListener('error', () => seen.errors.push(video.error?.message ?? 'error'));
  }

  document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
    console.error(`Content Security Policy: ${violatedDirective} ${blockedURI}`),
  );
  document.addEventListener('DOMContentLoaded', () => {
    const video = document.querySelector('video');
    if (!video) return;
    watch(video);
    const root = document.documentElement;
    new MutationObserver(() => seen.states.push(root.dataset.state)).observe(root, { attributeFilter: ['data-state'] });
  });
})();
