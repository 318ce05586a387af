"""report.html and claims.html as a reader meets them: in Debian's Chromium, with and without JavaScript, by keyboard, in light, dark
and on paper. Argument: the folder of the build."""

import json
import os
import subprocess
import sys
import tempfile

from browser import Browser

BUILD = os.path.abspath(sys.argv[1])
DRAWN = "document.documentElement.hasAttribute('data-drawn')"

MANIFEST = """{
  "khost": 1, "experiment": "%s", "title": "Is <b>this</b> & that drawn?", "published": "paper85", "seeds": 3, "steps": 12,
  "data": {"plugin": "synthetic", "vocab": 211, "sequence": 31, "batch": 2},
  "model": {"plugin": "gpt", "d_model": 64, "n_layer": 2, "n_head": 2},
  "optimizer": {"plugin": "adam", "lr": 5e-3},
  "adapter": {"rank": 32},
  "bases": {"plain": {"steps": 0}, "trained": {"train": ["*"], "steps": 5, "optimizer": {"plugin": "adam", "lr": 1e-3}}},
  "arms": {"K32": {}, "K64": {"adapter": {"rank": 64}}, "K32-drop0.5": {"probes": [{"plugin": "alpha_dropout", "rate": 0.5}]}},
  "probes": [
    {"plugin": "snr", "groups": [[0, 20], [20, "K"]], "arms": ["K32", "K64"]}, {"plugin": "displacement"}, {"plugin": "efficiency"},
    {"plugin": "effective_rank", "every": 1, "arms": ["K32", "K64"]}, {"plugin": "gradient_cosine"},
    {"plugin": "ablation", "keep": [64, 32, 8, 2], "arms": ["K64"]}, {"plugin": "true_effective_rank", "steps": [1, 12], "arms": ["K32"]}
  ],
  "claims": [
    {"id": "more-is-better", "statement": "K=64 ends below K=32", "let": {"a": "K64/loss/final", "b": "K32/loss/final"},
     "measure": "a - b", "predicts": "< 0 nats", "margin": 0.0001, "published": {"value": -0.7197, "words": "supported"}},
    {"id": "ratio", "statement": "bottom dims have half the SNR", "let": {"b": "K64/snr/batch/1", "t": "K64/snr/batch/0"},
     "measure": "b / t", "scale": "log", "predicts": "< 0.5", "margin": 0.05, "published": {"value": 0.948, "words": "falsified"}}
  ]
}
"""

failures = []


def check(what, holds, detail=""):
    if not holds:
        failures.append(f"{what}: {detail}")
        print("FAILED", what, detail, flush=True)


def khost(folder, *words, fails=False):
    done = subprocess.run([BUILD + "/bin/khost", *words], cwd=folder, capture_output=True, text=True,
                          env=dict(os.environ, KHOST_CACHE=folder + "/cache"))
    if (done.returncode != 0) != fails:
        raise SystemExit(f"khost {' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
    return done


# Of each chart: marks drawn by layer, beside the rows that each layer is of.
MARKS = """(() => {
  const pictures = JSON.parse(document.getElementById('khost-pictures').textContent);
  const layers = {estimates: 'y', published: 'published', noise: 'noise_low', nulls: 'noise', intervals: 'low', also: 'also_low'};
  return [...document.querySelectorAll('.chart')].map(chart => {
    const picture = pictures[+chart.dataset.picture], out = {id: picture.id, form: picture.form, drawn: !!chart.querySelector('svg'), marks: {}};
    for (const [layer, field] of Object.entries(layers)) {
      const marks = chart.querySelectorAll(`g[class~="mark-symbol"][class*="${layer}_marks"] path, g[class~="mark-rule"][class*="${layer}_marks"] line, ` +
        `g[class~="mark-rect"][class*="${layer}_marks"] path`);
      out.unseen = (out.unseen || 0) + (layer === 'nulls' ? [...marks].filter(m => { const b = m.getBoundingClientRect(); return Math.max(b.width, b.height) < 4; }).length : 0);
      out.marks[layer] = [marks.length, picture.rows.filter(row => row[field] !== undefined).length];
    }
    out.table = chart.closest('figure') ? chart.closest('figure').querySelectorAll('tbody > tr').length : chart.closest('tbody').rows.length;
    out.rows = picture.rows.length;
    return out;
  });
})()"""

# The rules of accessibility that can be told from outside, each with what breaks it.
RULES = """(() => {
  const faults = [], seen = new Set();
  const name = e => `${e.tagName.toLowerCase()}${e.id ? '#' + e.id : ''}.${e.getAttribute('class') || ''} "${e.textContent.slice(0, 30)}"`;
  if (!document.documentElement.lang) faults.push('no language');
  if (!document.title) faults.push('no title');
  for (const e of document.querySelectorAll('[id]')) {
    if (e.closest('svg')) continue;
    if (seen.has(e.id)) faults.push('the id ' + e.id + ' stands twice');
    seen.add(e.id);
  }
  let level = 0;
  for (const h of document.querySelectorAll('h1, h2, h3, h4')) {
    const own = +h.tagName[1];
    if (own > level + 1) faults.push('a level of headings is skipped: ' + name(h));
    level = own;
  }
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  if (!document.querySelector('main')) faults.push('no main');
  for (const t of document.querySelectorAll('table')) {
    if (!t.caption || !t.caption.textContent.trim()) faults.push('a table without caption: ' + name(t));
    for (const th of t.querySelectorAll('th')) if (!th.scope) faults.push('a head without scope: ' + name(th));
  }
  for (const svg of document.querySelectorAll('.chart > svg, .chart .marks'))
    if (svg.tagName.toLowerCase() === 'svg' && !svg.querySelector('[aria-label]') && !svg.getAttribute('aria-label')) faults.push('a chart without label');
  for (const e of document.querySelectorAll('a[href]')) {
    if (!e.textContent.trim()) faults.push('a link without text');
    const to = e.getAttribute('href');
    if (to.startsWith('#') && !document.getElementById(decodeURIComponent(to.slice(1)))) faults.push('a link to nothing: ' + to);
  }
  for (const e of document.querySelectorAll('[aria-labelledby]'))
    if (!document.getElementById(e.getAttribute('aria-labelledby'))) faults.push('labelled by nothing: ' + name(e));
  for (const e of document.querySelectorAll('[tabindex]')) if (+e.getAttribute('tabindex') > 0) faults.push('an order of its own: ' + name(e));
  return faults;
})()"""

# Text whose contrast with its ground is below 4.5 (WCAG AA), also that of charts.
CONTRAST = """(() => {
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = c => { const [r, g, b] = c.slice(0, 3).map(v => { v /= 255; return v <= .03928 ? v / 12.92 : Math.pow((v + .055) / 1.055, 2.4); }); return .2126 * r + .7152 * g + .0722 * b; };
  const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
  const faults = new Map();
  for (const e of document.querySelectorAll('body *')) {
    if (e.closest('script, style, noscript, #khost-tip')) continue;
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    const style = getComputedStyle(e);
    if (style.visibility === 'hidden') continue;
    const ink = rgb(e instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(ink), light(ground(e instanceof SVGElement ? e.closest('.chart') : e))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) faults.set(e.tagName + '.' + (e.getAttribute('class') || '') + ' ' + ink, ratio.toFixed(2) + ' "' + e.textContent.slice(0, 20) + '"');
  }
  return [...faults];
})()"""


def look_at(browser, path, charts):
    """All that holds of every page. Returns how many charts there are."""
    name = os.path.basename(path)
    for media in ("light", "dark"):
        seconds = browser.open(path, until=DRAWN, media=media)
        print(f"{name}, {media}: {os.path.getsize(path) / 1e6:.2f} MB, loaded in {seconds:.2f} s", flush=True)
        check(f"{name} {media}: nothing is complained of", not browser.complaints(), browser.complaints()[:5])
        for fault in browser.evaluate(RULES) + browser.evaluate(CONTRAST):
            check(f"{name} {media}: accessible", False, fault)
    seen = browser.evaluate(MARKS)
    check(f"{name}: has charts", len(seen) >= charts, len(seen))
    for chart in seen:
        check(f"{name} {chart['id']}: drawn", chart["drawn"])
        check(f"{name} {chart['id']}: noise can be seen, however narrow", chart["unseen"] == 0, chart["unseen"])
        check(f"{name} {chart['id']}: its table has its rows", chart["table"] == chart["rows"], chart)
        for layer, (marks, rows) in chart["marks"].items():
            if layer == "also" and chart["form"] != "claim":
                continue
            if layer in ("estimates", "published") or chart["form"] not in ("steps", "points", "heat", "bars"):
                check(f"{name} {chart['id']}: {layer}", marks == rows, f"{marks} marks of {rows} rows, {chart['form']}")
    return len(seen)


def by_keyboard(browser, path):
    browser.open(path, until=DRAWN)
    at = """(() => { const e = document.activeElement; if (!e || e === document.body) return null;
      const all = [...document.querySelectorAll('*')]; const box = e.getBoundingClientRect();
      return {place: all.indexOf(e), tag: e.tagName, cls: e.className, shown: box.width > 0 && box.height > 0,
              tip: document.getElementById('khost-tip').hidden ? null : document.getElementById('khost-tip').textContent, own: e.dataset.tip || null,
              described: e.getAttribute('aria-describedby')}; })()"""
    places, tips = [], 0
    for _ in range(60):
        browser.key("Tab")
        now = browser.evaluate(at)
        if not now:
            break
        check("keyboard: what has the focus can be seen", now["shown"], now)
        check("keyboard: the order is that of the page", not places or now["place"] > places[-1], now)
        places.append(now["place"])
        if now["own"]:
            tips += 1
            check("keyboard: a figure says what stands behind it", now["tip"] == now["own"] and now["described"] == "khost-tip", now)
            browser.key("Escape")
            check("keyboard: Escape takes it away", browser.evaluate("document.getElementById('khost-tip').hidden"))
    check("keyboard: there is something to go to", len(places) > 20, len(places))
    check("keyboard: figures can be reached", tips > 3, tips)


def by_mouse(browser, path):
    browser.open(path, until=DRAWN)
    box = browser.evaluate("""(() => { const m = document.querySelector('#verdicts .chart g[class*="estimates_marks"] path');
      m.scrollIntoView({block: 'center'}); const b = m.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()""")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=box[0] - 60, y=box[1])
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])
    browser.wait(lambda: not browser.evaluate("document.getElementById('khost-tip').hidden"), 10, "the tip of a mark")
    check("mouse: a mark says what stands behind it", "by seed" in browser.evaluate("document.getElementById('khost-tip').textContent"))


def without_javascript(browser, path):
    browser.open(path, javascript=False)
    text = browser.call("DOM.getOuterHTML", nodeId=browser.call("DOM.getDocument", depth=0)["root"]["nodeId"])["outerHTML"]
    check("without JavaScript: tables", text.count("<table") > 20, text.count("<table"))
    check("without JavaScript: no chart is drawn", "<svg" not in text)
    check("without JavaScript: it says so", "Charts need JavaScript" in text)
    shown = browser.call("Accessibility.getFullAXTree")["nodes"]
    names = [n.get("name", {}).get("value", "") for n in shown if not n.get("ignored")]
    check("without JavaScript: verdicts can be read", any("K=64 ends below K=32" in n for n in names))


def on_paper(browser, path, out):
    browser.open(path, media="dark")  # before all is drawn, and in the dark
    browser.pdf(out)
    with open(out, "rb") as file:
        data = file.read()
    check("paper: a PDF", data.startswith(b"%PDF") and data.count(b"/Type /Page\n") + data.count(b"/Type /Page ") > 3, len(data))


def main():
    with tempfile.TemporaryDirectory(prefix="khost-browser-test-") as folder:
        for name in ("one", "two"):
            with open(f"{folder}/{name}.manifest", "w") as file:
                file.write(MANIFEST % name)
        with open(f"{folder}/series.manifest", "w") as file:
            json.dump({"khost": 1, "experiment": "both", "title": "Both of <them>", "series": ["one.manifest", "two.manifest"]}, file)
        khost(folder, "series.manifest", "--out", "all")
        report = folder + "/all/one/report.html"
        browser = Browser()
        try:
            look_at(browser, report, charts=15)
            look_at(browser, folder + "/all/claims.html", charts=4)
            browser.open(folder + "/all/claims.html", until=DRAWN)
            links = browser.evaluate("[...document.querySelectorAll('a')].map(a => a.href).filter(h => h.startsWith('file:') && h.includes('report.html'))")
            check("series: each claim leads to its place", len(links) >= 6, links)
            for link in set(links):
                path, _, anchor = link[len("file://"):].partition("#")
                with open(path) as file:
                    check("series: a link leads to what is there", not anchor or f'id="{anchor}"' in file.read(), link)
            khost(folder, "compare", "all/one", "all/two", "--html", "compared.html")
            for media in ("light", "dark"):
                browser.open(folder + "/compared.html", media=media)
                check("compared.html: nothing is complained of", not browser.complaints(), browser.complaints()[:5])
                for fault in browser.evaluate(RULES) + browser.evaluate(CONTRAST):
                    check(f"compared.html {media}: accessible", False, fault)
            by_keyboard(browser, report)
            by_mouse(browser, report)
            without_javascript(browser, report)
            on_paper(browser, report, folder + "/report.pdf")
        finally:
            browser.close()
        figures = khost(folder, "report", "all/one", "--figures", "figures")
        made = os.listdir(folder + "/figures")
        of = lambda end: {name[: -len(end)] for name in made if name.endswith(end)}
        check("figures: each as SVG, PDF and CSV", of(".svg") == of(".pdf") == of(".csv") and len(of(".svg")) * 3 == len(made), made)
        check("figures: as many as it says", figures.stdout.startswith(f"{len(of('.svg'))} pictures"), figures.stdout)
        for name in of(".svg"):
            with open(f"{folder}/figures/{name}.svg") as file:
                text = file.read()
            check("figures: drawn", "<svg" in text and "mark-" in text, name)
    if failures:
        raise SystemExit(f"{len(failures)} checks failed")
    print("report.html: all checks passed")


main()
