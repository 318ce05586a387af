// Draws the page's pictures from their data by the templates lines.vl.json, dots.vl.json ... (Vega-Lite). Also loaded by figures.js,
// which draws the same pictures into files.
(function (global) {
  'use strict';
  // Okabe and Ito's colours, which eyes of every kind tell apart; yellow last, and darker on white.
  const hues = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#7f7f7f', '#b8a500'];
  const verdicts = { confirmed: '#00876c', falsified: '#d55e00', 'explained by noise': '#8a5cc4', inconclusive: '#808890', 'post hoc': '#808890' };
  const themes = {
    light: { ink: '#1b1f24', soft: '#57606a', line: '#d8dee4', noise: '#8c959f', ground: '#ffffff' },
    dark: { ink: '#e6edf3', soft: '#9da7b3', line: '#30363d', noise: '#8c959f', ground: '#0d1117' },
  };

  // A copy of the template in which "$name" stands for values.name; a member whose value is not there is left out.
  function filled(template, values) {
    if (typeof template === 'string' && template[0] === '$') return values[template.slice(1)];
    if (Array.isArray(template)) return template.map(item => filled(item, values)).filter(item => item !== undefined);
    if (template === null || typeof template !== 'object') return template;
    const out = {};
    for (const [key, item] of Object.entries(template)) {
      const value = filled(item, values);
      if (value !== undefined) out[key] = value;
    }
    return out;
  }

  function domainOf(picture) {
    const region = (picture.region || [])[0] || {};
    const said = picture.said ? picture.said[0].said : undefined;
    const all = [region.low, region.high, said];
    for (const row of picture.rows) all.push(row.y, row.low, row.high, row.also_low, row.also_high, row.noise_low, row.noise_high);
    const some = all.filter(v => Number.isFinite(v) && (!picture.y_log || v > 0));
    let low = Math.min(...some), high = Math.max(...some);
    if (!some.length) return [0, 1];
    if (picture.y_log) return [low / Math.pow(high / low, .06) / 1.02, high * Math.pow(high / low, .06) * 1.02];
    const pad = (high - low) * .06 || Math.abs(high) * .1 || 1;
    return [low - pad, high + pad];
  }

  // The Vega-Lite specification of one picture. width: of the whole chart, in px.
  function specOf(picture, templates, theme, width) {
    const ink = themes[theme];
    const panels = picture.panels.length, series = picture.series;
    const columns = Math.min(panels, panels === 4 ? 2 : 3);
    const claim = picture.form === 'claim';
    const some = field => picture.rows.some(row => row[field] !== undefined);
    const domain = claim ? domainOf(picture) : undefined;
    const region = picture.region && picture.region.map(r => ({
      low: Math.max(r.low === undefined ? -Infinity : r.low, domain[0]), high: Math.min(r.high === undefined ? Infinity : r.high, domain[1]) }))
      .filter(r => r.low < r.high);
    const few = series.length <= hues.length;
    const range = claim ? series.map(s => verdicts[s] || verdicts.inconclusive)
      : few ? hues.slice(0, series.length) : undefined;
    const xs = [...new Set(picture.rows.map(r => r.x))].sort((a, b) => a - b);
    // As far as there are figures.
    const references = picture.references.filter(point => point.x >= xs[0] && point.x <= xs[xs.length - 1]);
    const whole = picture.x_numeric && picture.form !== 'steps' && xs.length <= 12 && xs.every(Number.isInteger);  // ticks where the figures are
    const side = picture.form === 'dots' && series.length <= 8 ? series.length : 1;
    const categories = new Set(picture.rows.map(r => r.at)).size;
    const values = {
      rows: picture.rows, panels: picture.panels, columns, series, range,
      scheme: few ? undefined : 'viridis',
      width: Math.max(150, Math.floor(width / columns) - (picture.form === 'dots' || picture.form === 'heat' ? 150 : 62)),
      height: picture.form === 'dots' ? Math.max(64, categories * Math.max(20, side * 11)) : picture.form === 'heat' ? Math.max(60, Math.min(18, 700 / series.length) * series.length) : 230,
      x_title: picture.x_title, y_title: picture.y_title,
      x_field: picture.x_numeric ? 'x' : 'at', x_type: picture.x_numeric ? 'quantitative' : 'nominal',
      x_scale: picture.x_numeric ? (picture.x_log ? { type: 'log', base: 2, nice: false, padding: 12 } : { zero: false, nice: false, padding: 12 }) : {},
      x_axis: !picture.x_numeric ? {} : whole ? { values: xs, format: 'd', labelAngle: 0, labelOverlap: 'greedy' } : { format: '~g', labelAngle: 0 },
      y_scale: picture.y_log ? { type: 'log', domain, nice: false } : domain ? { domain, nice: false } : { zero: false },
      offset: side > 1 ? { field: 'series', type: 'nominal', sort: series, scale: { padding: 0.4 } } : undefined,
      references, region, said: picture.said,
      legend: series.length > 1 ? { title: null, orient: 'bottom', columns: few ? 6 : 4, labelLimit: 320, symbolLimit: 60, symbolOpacity: 1 } : null,
      ink: ink.ink, soft: ink.soft, noise: ink.noise, ground: ink.ground,
    };
    const spec = filled(templates[picture.form], values);
    // A layer without data would ask its scales for the extent of nothing.
    const has = { noise: some('noise_low'), nulls: some('noise'), also: some('also_low'), published: some('published'), intervals: some('low'), bands: some('low'), estimates: some('y'),
                  lines: some('y'), references: references.length, labels: references.length,
                  region: region && region.length, said: picture.said };
    const inner = spec.spec || spec;
    inner.layer = inner.layer.filter(layer => has[layer.name]);
    const axis = { labelColor: ink.soft, titleColor: ink.ink, domainColor: ink.line, tickColor: ink.line, gridColor: ink.line, gridOpacity: .7,
                   labelFontSize: 11, titleFontSize: 12, titleFontWeight: 'normal', labelLimit: 220 };
    spec.$schema = 'https://vega.github.io/schema/vega-lite/v5.json';
    spec.description = picture.title + ': the table below it has the same figures.';
    spec.background = null;
    spec.config = {
      font: 'system-ui, "Liberation Sans", "DejaVu Sans", sans-serif', view: { stroke: null }, axis,
      legend: { labelColor: ink.ink, titleColor: ink.ink, labelFontSize: 11, symbolSize: 70 },
      header: { labelColor: ink.ink, labelFontSize: 12, labelFontWeight: 'bold', labelPadding: 4 }, facet: { spacing: 18 }, title: { color: ink.ink },
      aria: true,
    };
    return spec;
  }

  global.khostCharts = { specOf, themes };
  if (typeof document === 'undefined') return;

  const read = id => JSON.parse(document.getElementById(id).textContent);
  const templates = read('khost-templates'), pictures = read('khost-pictures');
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const drawn = new Map();
  global.khostDrawn = drawn;  // by element: its Vega view

  function draw(element, theme) {
    if (drawn.has(element)) drawn.get(element).finalize();
    element.replaceChildren();
    const picture = pictures[+element.dataset.picture];
    // What a mark says on hover is what its row of the table says.
    const owner = element.closest('figure, tbody');
    const table = owner.querySelectorAll(owner.tagName === 'FIGURE' ? 'details tbody > tr' : ':scope > tr');
    picture.rows.forEach((row, i) => {
      const figure = table[i].querySelector('[data-tip]');
      row.tip = figure ? figure.dataset.tip : [...table[i].cells].map(cell => cell.textContent).filter(Boolean).join(', ');
    });
    const width = element.closest('.small-chart') ? 290 : Math.max(320, element.clientWidth || 1180);
    try {
      const spec = vegaLite.compile(specOf(picture, templates, theme, width)).spec;
      const view = new vega.View(vega.parse(spec), { renderer: 'svg', container: element, hover: false, logLevel: vega.Warn })
        .tooltip((_, event, __, value) => global.khostTip(event, value === null || value === undefined ? '' : String(value)));
      view.run();
      drawn.set(element, view);
    } catch (error) {
      console.error('picture ' + picture.id, error);
      element.textContent = 'This picture could not be drawn; its table has the figures.';
    }
  }

  const waiting = new Set(document.querySelectorAll('.chart'));
  const theme = () => dark.matches && !matchMedia('print').matches ? 'dark' : 'light';
  function drawNow(element) {
    if (!waiting.delete(element)) return;
    draw(element, theme());
  }
  const seen = new IntersectionObserver(entries => {
    for (const entry of entries) if (entry.isIntersecting) drawNow(entry.target);
  }, { rootMargin: '600px' });
  for (const element of waiting) seen.observe(element);
  // What is further down follows while nobody waits for it.
  const idle = global.requestIdleCallback || (f => setTimeout(f, 30));
  (function next() {
    const [element] = waiting;
    if (!element) return document.documentElement.setAttribute('data-drawn', drawn.size);
    idle(() => { drawNow(element); next(); });
  })();
  const again = () => { for (const element of document.querySelectorAll('.chart')) { waiting.delete(element); draw(element, theme()); } };
  dark.addEventListener('change', again);
  global.addEventListener('beforeprint', () => {
    for (const element of document.querySelectorAll('.chart')) if (waiting.has(element) || dark.matches) { waiting.delete(element); draw(element, 'light'); }
  });
  global.addEventListener('afterprint', () => { if (dark.matches) again(); });
})(typeof window === 'undefined' ? globalThis : window);
