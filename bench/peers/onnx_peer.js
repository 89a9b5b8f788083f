// ONNX Runtime as a contestant (the protocol: bench/serve.h): onnx_peer.js MODULES FOLDER THREADS. The word of a request
// is a network's name; it lies in FOLDER as NAME.onnx.
const [modules, folder, threads] = process.argv.slice(2);
const ort = require(modules + '/onnxruntime-node');
const sessions = {};

const shapes = {'mlp-infer': [1, 784], 'lenet-infer': [1, 1, 28, 28], 'resnet50-infer': [1, 3, 224, 224]};

async function session(name) {
  if (!sessions[name]) {
    const options = {intraOpNumThreads: Number(threads), interOpNumThreads: 1};
    sessions[name] = await ort.InferenceSession.create(`${folder}/${name}.onnx`, options);
  }
  return sessions[name];
}

async function measure(seconds, name) {
  const net = await session(name);
  const data = new Float32Array(shapes[name].reduce((a, b) => a * b)).map(() => Math.random());
  const feeds = {x: new ort.Tensor('float32', data, shapes[name])};
  const times = [];
  const begin = performance.now();
  let before = begin;
  while (times.length < 3 || before - begin < 1e3 * seconds) {
    await net.run(feeds);
    const now = performance.now();
    times.push(now - before);
    before = now;
  }
  times.sort((a, b) => a - b);
  const text = (t) => (1e-3 * t).toPrecision(9);
  return `${text(times[0])} ${text(times[times.length >> 1])} ${times.length}`;
}

async function serve() {
  console.log('ready');
  for await (const line of require('readline').createInterface({input: process.stdin})) {
    const [seconds, name] = line.split(' ');
    try {
      console.log(await measure(Number(seconds), name));
    } catch (e) {
      console.log('error ' + String(e.message).replace(/\n/g, ' '));
    }
  }
}

serve();
