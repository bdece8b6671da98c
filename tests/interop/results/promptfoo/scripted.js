module.exports = class {
  constructor(options) { this.shift = (options.config || {}).shift || 0; this.label = options.label; }
  id() { return this.label || 'scripted'; }
  async callApi(prompt) {
    const [a, b] = prompt.match(/\d+/g).map(Number);
    if (a === 0 && this.shift) return { error: 'the scripted server is down' };
    const sum = a + b;
    const out = prompt.startsWith('Please') ? `It is ${sum}.` : `${a > 6 ? sum + this.shift : sum}`;
    return { output: out, tokenUsage: { total: 12, prompt: 9, completion: 3 }, cost: 0.0001 };
  }
};
