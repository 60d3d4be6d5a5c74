// The player page of one stream. It lies at /<path>/ and plays index.m3u8 beside it, with hls.js or else the browser's
// own HLS. document.documentElement.dataset.state says how it is:
//   loading      about to play
//   playing      the picture moves
//   stalled      it does not, for a moment
//   paused       by the user, or the browser wants to be asked by one
//   waiting      there is no such stream now; asks again
//   offline      the server can't be reached; asks again
//   password     the server wants one, or another one
//   unsupported  this browser has no decoder for it; tries again, the stream may change
// Whatever goes wrong leads to a new load() after a pause: the page never needs to be reloaded.
import { ErrorDetails, ErrorTypes, Events, FetchLoader, Hls } from './{{hls.js}}';

const FIRST_PAUSE_MS = 500; // before asking again; doubled each time, until something has been played
const LONGEST_PAUSE_MS = 5000;
const ANSWER_LIMIT_MS = 20000; // the server may hold the first answer until an on-demand source is ready
const WATCH_EVERY_MS = 250;
const SKIP_AFTER_MS = 500;
const SKIP_AGAIN_MS = 1500;
const STALLED_AFTER_MS = 1500;
const START_LIMIT_MS = 15000; // from the playlist to a picture
const STALL_LIMIT_MS = 6000; // of a picture that moved
const JUMP_AFTER_SEGMENTS = 8; // behind the newest; a little behind, it plays faster
const RECOVER_EVERY_MS = 10000; // a media error that comes back sooner leads to a new load

const CODEC_ERRORS = [
  ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR,
  ErrorDetails.BUFFER_INCOMPATIBLE_CODECS_ERROR,
  ErrorDetails.BUFFER_ADD_CODEC_ERROR,
];

const TEXTS = {
  loading: 'Connecting…',
  playing: '',
  stalled: 'Waiting for the picture…',
  paused: '',
  waiting: 'Waiting for the stream…',
  offline: 'The server can’t be reached. Trying again…',
  password: '',
  unsupported: 'This browser can’t play the stream’s video or audio format.',
};

const root = document.documentElement;
const [video, sound, play_button, status, form, wrong] = ['video', '#sound', '#play', '#status', '#password', '#wrong'].map(
  (selector) => document.querySelector(selector),
);

const with_hls_js = Hls.isSupported();
const with_native = !with_hls_js && video.canPlayType('application/vnd.apple.mpegurl') !== '';

let hls = null;
let load_number = 0; // of the newest load(); what an older one still brings is ignored
let timer = 0; // of the next load()
let asking = null; // aborts what ask() waits for
let pause_ms = FIRST_PAUSE_MS;
let attached = false; // the video has a stream
let wanted = true; // the user has not paused it
let moved = false; // this load has shown a picture
let has_audio = true; // as far as known
let last_time = 0;
let last_moved_ms = 0; // when, in the time of performance.now()
let last_recovery_ms = -Infinity;
let last_skip_ms = -Infinity;

function set_state(state) {
  if (root.dataset.state === state) return;
  root.dataset.state = state;
  status.textContent = TEXTS[state];
  form.hidden = state !== 'password';
  play_button.hidden = state !== 'paused';
  if (state === 'password') form.elements.user.focus();
  show_sound_button();
}

function show_sound_button() {
  sound.hidden = !(video.muted && has_audio && ['playing', 'stalled'].includes(root.dataset.state));
}

// Credentials: kept for this tab and path, or only by this page where there is no storage (a sandboxed frame).

const storage_key = `sluice ${location.pathname}`;
let credentials = null; // {user, pass}
try {
  credentials = JSON.parse(sessionStorage.getItem(storage_key));
} catch {
  credentials = null;
}

function keep_credentials(value) {
  credentials = value;
  try {
    if (value) sessionStorage.setItem(storage_key, JSON.stringify(value));
    else sessionStorage.removeItem(storage_key);
  } catch {
    // They last as long as the page, then.
  }
}

function basic_authorization({ user, pass }) {
  const bytes = new TextEncoder().encode(`${user}:${pass}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

// The page's query goes with it: it may hold credentials. Those of the form take their place.
function playlist_url() {
  const url = new URL('index.m3u8', location.href);
  url.username = url.password = url.hash = '';
  url.search = location.search;
  if (credentials) {
    const query = new URLSearchParams(location.search);
    query.delete('user');
    query.delete('pass');
    if (with_native) {
      // It sends no headers of ours.
      query.set('user', credentials.user);
      query.set('pass', credentials.pass);
    }
    url.search = query;
  }
  return url.href;
}

// Without the browser's own credentials: it would ask for a password by itself.
function request_options(more) {
  const headers = new Headers(more.headers);
  if (credentials && !with_native) headers.set('Authorization', basic_authorization(credentials));
  return { ...more, headers, credentials: 'omit' };
}

// What the playlist's URL answers: 'ok', or the state to be in.
async function ask() {
  const limit = (asking = new AbortController());
  const limit_timer = setTimeout(() => limit.abort(), ANSWER_LIMIT_MS);
  try {
    const answer = await fetch(playlist_url(), request_options({ cache: 'no-store', signal: limit.signal }));
    if (answer.status === 401) return 'password';
    if (!answer.ok) return 'waiting';
    return (await answer.text()).startsWith('#EXTM3U') ? 'ok' : 'waiting';
  } catch {
    return limit.signal.aborted ? 'waiting' : 'offline';
  } finally {
    clearTimeout(limit_timer);
  }
}

async function load() {
  unload();
  const number = load_number;
  const answer = await ask();
  if (number !== load_number) return;
  if (answer === 'ok') {
    begin();
  } else if (answer === 'password') {
    ask_for_password();
  } else {
    set_state(answer);
    load_later();
  }
}

// Many viewers of a stream that ended don't all come at once.
function load_later() {
  unload();
  if (['playing', 'stalled', 'paused'].includes(root.dataset.state)) set_state('loading');
  timer = setTimeout(load, pause_ms * (0.75 + Math.random() / 4));
  pause_ms = Math.min(2 * pause_ms, LONGEST_PAUSE_MS);
}

function unload() {
  load_number++;
  clearTimeout(timer);
  asking?.abort();
  attached = false;
  if (hls) {
    hls.destroy();
    hls = null;
  } else if (video.hasAttribute('src')) {
    video.removeAttribute('src');
    video.load();
  }
}

function begin() {
  if (!with_hls_js && !with_native) {
    set_state('unsupported');
    load_later();
    return;
  }
  if (root.dataset.state !== 'unsupported') set_state('loading');
  wrong.textContent = '';
  attached = true;
  moved = false;
  has_audio = true;
  last_time = video.currentTime;
  last_moved_ms = performance.now();
  if (with_hls_js) {
    begin_with_hls_js();
  } else {
    video.src = playlist_url();
    play();
  }
}

// Short breaks of the server are bridged while the buffer lasts; what takes longer is a matter for load().
function short_retries(policy) {
  return {
    default: {
      ...policy.default,
      errorRetry: {
        maxNumRetry: 6,
        retryDelayMs: 100,
        maxRetryDelayMs: 1000,
        shouldRetry: (config, count, is_timeout, response, retry) => retry || (count < config.maxNumRetry && response?.code === 0),
      },
    },
  };
}

// Only who wants to see a picture longer stays far behind the newest.
function keep_up() {
  if (hls) hls.config.liveMaxLatencyDurationCount = wanted ? JUMP_AFTER_SEGMENTS : Infinity;
}

function begin_with_hls_js() {
  hls = new Hls({
    loader: FetchLoader,
    fetchSetup: (context, options) => new Request(context.url, request_options(options)),
    workerPath: new URL('{{hls-worker.js}}', location.href).href,
    // How far behind the newest media it plays: as the playlist says (PART-HOLD-BACK, HOLD-BACK), else three segments. A
    // value of ours would take the place of both.
    lowLatencyMode: true,
    maxLiveSyncPlaybackRate: 1.5,
    liveSyncOnStallIncrease: 0.3, // seconds for good, each time: a whole one would be the end of low latency
    liveDurationInfinity: true,
    backBufferLength: 10,
    maxBufferLength: 20,
    maxMaxBufferLength: 30,
    manifestLoadPolicy: short_retries(Hls.DefaultConfig.manifestLoadPolicy),
    playlistLoadPolicy: short_retries(Hls.DefaultConfig.playlistLoadPolicy),
    fragLoadPolicy: short_retries(Hls.DefaultConfig.fragLoadPolicy),
  });
  keep_up();
  let oldest = 0; // of the media sequence
  hls.on(Events.MANIFEST_PARSED, play);
  hls.on(Events.BUFFER_CODECS, (_, tracks) => {
    has_audio = Boolean(tracks.audio || tracks.audiovideo);
    show_sound_button();
  });
  hls.on(Events.LEVEL_LOADED, (_, { details }) => {
    // Parts need no conversion. While a worker starts, hls.js (1.7) may come to miss one of them, and stay without.
    if (details.partList) hls.config.enableWorker = false;
    const began_again = details.endSN < oldest;
    oldest = details.startSN;
    if (began_again) load();
  });
  hls.on(Events.ERROR, on_hls_error);
  hls.loadSource(playlist_url());
  hls.attachMedia(video);
}

function on_hls_error(_, { fatal, type, details }) {
  if (!fatal) return;
  const now = performance.now();
  if (CODEC_ERRORS.includes(details)) {
    set_state('unsupported');
    load_later();
  } else if (type === ErrorTypes.MEDIA_ERROR && now - last_recovery_ms > RECOVER_EVERY_MS) {
    last_recovery_ms = now;
    hls.recoverMediaError();
    play();
  } else {
    load_later();
  }
}

async function play() {
  if (!wanted) return;
  try {
    await video.play();
  } catch (error) {
    if (error.name !== 'NotAllowedError') return; // a new load, or an error that is told otherwise
    if (video.muted) {
      wanted = false;
      keep_up();
      set_state('paused');
    } else {
      video.muted = true;
      play();
    }
  }
}

// hls.js (1.7) may take a segment for whole whose last part it has not loaded, and then loads nothing for seconds. It does
// load what is further on.
function skip_missing_part(now) {
  const part_s = hls?.latestLevelDetails?.partList && hls.latestLevelDetails.partTarget;
  if (!part_s || video.buffered.length === 0 || now - last_skip_ms < SKIP_AGAIN_MS) return;
  const newest = hls.liveSyncPosition;
  if (newest > video.buffered.end(video.buffered.length - 1) + part_s) {
    last_skip_ms = now;
    video.currentTime = newest;
  }
}

function watch() {
  if (!attached) return;
  const now = performance.now();
  const has_moved = video.currentTime !== last_time && !video.seeking && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
  last_time = video.currentTime;
  if (video.paused && !wanted) {
    last_moved_ms = now;
    set_state('paused');
  } else if (has_moved) {
    moved = true;
    last_moved_ms = now;
    pause_ms = FIRST_PAUSE_MS;
    set_state('playing');
  } else if (document.hidden) {
    last_moved_ms = now; // browsers may halt what nobody sees
  } else if (now - last_moved_ms > (moved ? STALL_LIMIT_MS : START_LIMIT_MS)) {
    load_later();
  } else if (now - last_moved_ms > SKIP_AFTER_MS) {
    if (moved && now - last_moved_ms > STALLED_AFTER_MS) set_state('stalled');
    if (!video.paused) skip_missing_part(now);
  }
}

function ask_for_password() {
  const had_some = credentials || new URLSearchParams(location.search).has('pass');
  keep_credentials(null);
  wrong.textContent = had_some ? 'Wrong user or password.' : '';
  form.querySelector('button').disabled = false;
  form.elements.pass.value = '';
  set_state('password');
  if (had_some) form.elements.pass.focus();
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  keep_credentials({ user: form.elements.user.value, pass: form.elements.pass.value });
  wrong.textContent = '';
  form.querySelector('button').disabled = true;
  pause_ms = FIRST_PAUSE_MS;
  load();
});

sound.addEventListener('click', () => {
  video.muted = false;
  if (video.volume === 0) video.volume = 1;
  video.focus();
});

play_button.addEventListener('click', () => {
  wanted = true;
  play();
});

video.addEventListener('volumechange', show_sound_button);
video.addEventListener('play', () => {
  wanted = true;
  keep_up();
});
video.addEventListener('pause', () => {
  // Not by the browser, which may pause what nobody sees.
  if (attached && !video.ended && !video.error && !document.hidden) wanted = false;
  keep_up();
});
document.addEventListener('visibilitychange', () => {
  last_moved_ms = performance.now();
  if (!document.hidden && attached && video.paused) play();
});
video.addEventListener('ended', load_later);
video.addEventListener('error', () => {
  if (hls || !attached || !video.error) return; // hls.js tells of its own
  if (video.error.code === MediaError.MEDIA_ERR_SRC_NOT_SUPPORTED) set_state('unsupported');
  load_later();
});
addEventListener('online', () => {
  if (root.dataset.state === 'offline') load();
});

function path_name() {
  const name = location.pathname.replace(/^\/+|\/+$/g, '');
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // no percent-encoded UTF-8
  }
}

document.title = path_name() || document.title;
video.muted = true; // the attribute alone is forgotten by some browsers when a page is restored
setInterval(watch, WATCH_EVERY_MS);
load();
