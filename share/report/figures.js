// node figures.js PICTURES.json TEMPLATES.json: draws each picture of the list into ID.svg beside the list, with its title.
'use strict';
const fs = require('fs'), path = require('path'), vm = require('vm');
const here = __dirname;
for (const file of ['vega/vega.min.js', 'vega/vega-lite.min.js', 'charts.js'])
  vm.runInThisContext(fs.readFileSync(path.join(here, file), 'utf8'), { filename: file });
const [, , list, forms] = process.argv;
const read = file => JSON.parse(fs.readFileSync(file, 'utf8'));
const templates = read(forms);
(async () => {
  for (const picture of read(list))
    try {
      const spec = khostCharts.specOf(picture, templates, 'light', picture.form === 'claim' ? 420 : 1000);
      spec.title = { text: picture.title, anchor: 'start', fontSize: 13, offset: 8, limit: 980 };
      spec.background = 'white';
      const view = new vega.View(vega.parse(vegaLite.compile(spec).spec), { renderer: 'none', logLevel: vega.Warn });
      fs.writeFileSync(path.join(path.dirname(list), picture.id + '.svg'), await view.toSVG());
    } catch (error) {
      console.error(picture.id + ': ' + error.message);
      process.exitCode = 1;
    }
})();
