/* Draws the figures of a report with Apache ECharts. One function a kind of figure turns its data into an ECharts
   option; data is never put into HTML: tooltips are built from text nodes. */
(() => {
"use strict";
const page = JSON.parse(document.getElementById("data").textContent);
const baseMap = JSON.parse(document.getElementById("basemap").textContent);
const root = document.documentElement;
const phone = () => window.innerWidth < 640;
let patterns = false;
const charts = new Map();   // figure id -> {chart, figure, state}

/* ---- colours and words ---- */
let colours = {};
function readColours() {
  const style = getComputedStyle(root), names = ["paper", "ink", "soft", "line", "panel", "accent", "land", "water", "border", "halo", "good", "caution", "bad", "g1520", "g1435", "g1676", "road", "sea", "ferry", "shut"];
  for (let n = 1; n <= 12; n++) names.push("c" + n);
  colours = Object.fromEntries(names.map(name => [name, style.getPropertyValue("--" + name).trim()]));
}
const series = n => colours["c" + (n % 12 + 1)];
const colour = (key, n) => colours[key] || series(n || 0);
function short(value) {
  const size = Math.abs(value), minus = value < 0 ? "−" : "";
  for (const [unit, name] of [[1e9, " bn"], [1e6, " m"], [1e4, "k"]]) {
    if (size >= unit) return minus + (size / (name === "k" ? 1e3 : unit)).toLocaleString("en", {maximumSignificantDigits: 3}) + name;
  }
  return minus + size.toLocaleString("en", {maximumSignificantDigits: 4});
}
const long = value => value === null || value === undefined ? "–" :
  value.toLocaleString("en", Math.abs(value) >= 1000 ? {maximumFractionDigits: 0} : {maximumSignificantDigits: 4}).replace("-", "−");
function clock(minute) {
  const day = Math.floor(minute / 1440), rest = Math.round(minute - day * 1440);
  return `${day + 1}+${String(Math.floor(rest / 60)).padStart(2, "0")}:${String(rest % 60).padStart(2, "0")}`;
}
/* Minutes on a time axis (milliseconds, UTC): ECharts then picks whole hours and days for its ticks. */
const MS = 60000;
const tick = ms => ms % 864e5 === 0 ? `day ${ms / 864e5 + 1}` : clock(ms / MS).split("+")[1];
const timeAxis = (start, end, more) => axis(Object.assign({type: "time", min: start * MS, max: end * MS, axisLabel: {color: colours.ink, formatter: tick, hideOverlap: true}, splitLine: {show: true, lineStyle: {color: colours.line}}}, more));
function tip(title, pairs) {
  const box = document.createElement("div");
  box.className = "tip";
  box.appendChild(document.createElement("b")).textContent = title;
  for (const [name, value] of pairs || []) {
    const row = box.appendChild(document.createElement("div"));
    row.appendChild(document.createElement("span")).textContent = name;
    row.appendChild(document.createElement("span")).textContent = value;
  }
  return box;
}
function frame(more) {
  return Object.assign({
    animation: false, useUTC: true, backgroundColor: "transparent",
    textStyle: {fontFamily: getComputedStyle(document.body).fontFamily, color: colours.ink},
    aria: {enabled: false, decal: {show: patterns}},
    tooltip: {trigger: "item", confine: true, backgroundColor: colours.paper, borderColor: colours.soft, textStyle: {color: colours.ink}, extraCssText: "box-shadow:0 3px 14px rgba(0,0,0,.25)",
      formatter: at => at.data && at.data.info ? tip(at.data.title || at.name, at.data.info) : tip(at.seriesName || at.name, [[at.name, long(Array.isArray(at.value) ? at.value[at.value.length - 1] : at.value)]])},
    grid: {left: 12, right: 20, top: 38, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel"},
  }, more);
}
function axis(more) {
  return Object.assign({
    axisLine: {lineStyle: {color: colours.soft}}, axisTick: {show: false},
    axisLabel: {color: colours.ink, fontSize: 12, hideOverlap: true}, splitLine: {lineStyle: {color: colours.line}},
    nameTextStyle: {color: colours.soft, fontSize: 12},
  }, more);
}
const names = () => axis({type: "category", axisLabel: {color: colours.ink, fontSize: 12, interval: 0, width: phone() ? 100 : 190, overflow: "truncate"}, splitLine: {show: false}});
const legend = more => Object.assign({type: "scroll", top: 0, left: 0, right: 0, itemWidth: 14, itemHeight: 10, textStyle: {color: colours.ink, fontSize: 12}, inactiveColor: colours.soft, pageTextStyle: {color: colours.ink}, pageIconColor: colours.accent}, more);

/* ---- controls above a figure ---- */
function choice(box, label, options, onChange) {
  const wrap = box.appendChild(document.createElement("label"));
  wrap.append(label + " ");
  const select = wrap.appendChild(document.createElement("select"));
  options.forEach(([value, text]) => {
    const option = select.appendChild(document.createElement("option"));
    option.value = value; option.textContent = text;
  });
  select.addEventListener("change", () => onChange(select.value));
  return select;
}
function push(box, text, label, act) {
  const button = box.appendChild(document.createElement("button"));
  button.type = "button"; button.textContent = text;
  if (label) button.setAttribute("aria-label", label);
  button.addEventListener("click", () => act(button));
  return button;
}

/* ---- kinds ---- */
const kinds = {};

kinds.bars = {option(d) {
  const flat = d.horizontal, values = axis({type: "value", name: d.unit, nameLocation: flat ? "middle" : "end", nameGap: flat ? 26 : 12, axisLabel: {color: colours.ink, formatter: short, hideOverlap: true}});
  const cats = Object.assign(names(), {data: d.categories, inverse: flat});
  const many = d.series.length > 1;
  return frame({
    legend: many ? legend() : undefined,
    grid: {left: 12, right: 24, top: many ? 34 : 10, bottom: flat ? 30 : 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel"},
    xAxis: flat ? values : cats, yAxis: flat ? cats : values,
    series: d.series.map((s, n) => ({
      name: s.name, type: "bar", stack: d.stacked ? "all" : undefined, barMaxWidth: 34,
      itemStyle: {color: colour(s.colour, n), borderColor: d.stacked ? colours.paper : undefined, borderWidth: d.stacked ? .5 : 0},
      data: s.values.map((value, at) => ({value, title: d.categories[at], info: [[s.name, long(value) + " " + d.unit]].concat((s.info && s.info[at]) || [])})),
      label: many ? undefined : {show: true, position: flat ? "right" : "top", color: colours.ink, formatter: at => short(at.value)},
    })),
  });
}};

kinds.lines = {option(d) {
  return frame({
    legend: legend(),
    xAxis: d.clock ? timeAxis(0, d.end) : axis({type: "value", name: d.x, nameLocation: "middle", nameGap: 26}),
    yAxis: axis({type: "value", name: d.y, scale: !d.zero, axisLabel: {color: colours.ink, formatter: short}, nameTextStyle: {align: "left", color: colours.soft}}),
    grid: {left: 12, right: 24, top: 56, bottom: 32, outerBoundsMode: "same", outerBoundsContain: "axisLabel"},
    series: d.series.map((s, n) => ({
      name: s.name, type: "line", step: s.step ? "end" : false, symbol: s.points.length < 60 ? "circle" : "none", symbolSize: 6,
      lineStyle: {width: 2.5, type: s.dash ? "dashed" : "solid", color: colour(s.colour, n)}, itemStyle: {color: colour(s.colour, n)},
      areaStyle: s.area ? {opacity: .2} : undefined,
      data: s.points.map(([x, y]) => ({value: [d.clock ? x * MS : x, y], title: s.name, info: [[d.x, d.clock ? clock(x) : long(x)], [d.y, long(y)]]})),
    })),
  });
}};

kinds.bands = {
  controls(box, d, state, draw) {
    if (d.groups.length > 1) choice(box, "Cargo", d.groups.map((g, n) => [n, g.name]), value => { state.group = +value; draw(); });
  },
  option(d, state) {
    const group = d.groups[state.group || 0], lever = d.lever;
    return frame({
      legend: legend(),
      xAxis: axis({type: "value", name: `${lever}, ${d.unit}`, nameLocation: "middle", nameGap: 26, min: d.edges[0], max: d.edges[d.edges.length - 1]}),
      yAxis: axis({type: "value", name: "% of tonnes", max: 100, nameTextStyle: {align: "left", color: colours.soft}}),
      grid: {left: 12, right: 24, top: 56, bottom: 32, outerBoundsMode: "same", outerBoundsContain: "axisLabel"},
      tooltip: {trigger: "axis", confine: true, backgroundColor: colours.paper, borderColor: colours.soft, textStyle: {color: colours.ink},
        formatter: list => tip(`${lever} ${long(list[0].axisValue)}`, list.filter(at => at.value[1] > 0).map(at => [at.seriesName, long(at.value[1]) + " %"]))},
      series: group.ports.map((port, n) => ({
        name: port.name, type: "line", stack: "all", symbol: "none", lineStyle: {width: .5, color: series(n)}, itemStyle: {color: series(n)}, areaStyle: {color: series(n), opacity: .85},
        data: port.shares.flatMap((share, at) => [[d.edges[at], share], [d.edges[at + 1], share]]),
        markLine: n || d.stated === null ? undefined : {silent: true, symbol: "none", label: {formatter: "as stated", color: colours.ink}, lineStyle: {color: colours.ink, type: "dashed"}, data: [{xAxis: d.stated}]},
      })),
    });
  },
};

kinds.bridge = {option(d) {
  let level = 0;
  const under = [], up = [], down = [], whole = [], labels = d.steps.map(step => step.name);
  for (const step of d.steps) {
    const info = [["USD a year", long(step.value)]].concat(step.info || []);
    const item = value => ({value, title: step.name, info});
    if (step.total) { level = step.value; under.push("-"); whole.push(item(step.value)); up.push("-"); down.push("-"); continue; }
    const from = level; level += step.value;
    under.push(Math.min(from, level)); whole.push("-");
    up.push(step.value >= 0 ? item(step.value) : "-"); down.push(step.value < 0 ? item(-step.value) : "-");
  }
  const edges = []; let at = 0;
  for (const step of d.steps) { at = step.total ? step.value : at + step.value; edges.push(at); }
  const low = Math.min(...edges), high = Math.max(...edges), room = (high - low || Math.abs(high) || 1) * .35;
  const floor = Math.max(0, low - room);
  const bar = (name, data, key) => ({name, type: "bar", stack: "b", data, barMaxWidth: 46, itemStyle: {color: colours[key]}, label: {show: true, position: "top", color: colours.ink, formatter: p => (key === "bad" ? "+" : key === "good" ? "−" : "") + short(p.value)}});
  return frame({
    legend: legend({data: ["plan cost", "dearer", "cheaper"]}),
    xAxis: Object.assign(names(), {data: labels, axisLabel: {color: colours.ink, interval: 0, width: phone() ? 62 : 130, overflow: "break", fontSize: 11}}),
    yAxis: axis({type: "value", name: "USD a year; the axis does not start at zero", min: floor, axisLabel: {color: colours.ink, formatter: short}, nameTextStyle: {align: "left", color: colours.soft}}),
    grid: {left: 12, right: 12, top: 60, bottom: 8, outerBoundsMode: "same", outerBoundsContain: "axisLabel"},
    series: [{type: "bar", stack: "b", silent: true, itemStyle: {color: "transparent", decal: {symbol: "none"}}, data: under}, bar("plan cost", whole, "accent"), bar("dearer", up, "bad"), bar("cheaper", down, "good")],
  });
}};

kinds.tornado = {option(d) {
  const side = (name, key, tone) => ({name, type: "bar", stack: "t", barMaxWidth: 22, itemStyle: {color: colours[tone]},
    data: d.bars.map(bar => ({value: bar[key], title: bar.name, info: bar.info}))});
  return frame({
    legend: legend(),
    grid: {left: 12, right: 24, top: 34, bottom: 32, outerBoundsMode: "same", outerBoundsContain: "axisLabel"},
    xAxis: axis({type: "value", name: d.unit, nameLocation: "middle", nameGap: 26, axisLabel: {color: colours.ink, formatter: short, hideOverlap: true}}),
    yAxis: Object.assign(names(), {data: d.bars.map(bar => bar.name), inverse: true}),
    series: [side("input at its low value", "low", "c1"), side("input at its high value", "high", "c2")],
  });
}};

kinds.heat = {option(d) {
  return frame({
    grid: {left: 12, right: 12, top: 10, bottom: 58, outerBoundsMode: "same", outerBoundsContain: "axisLabel"},
    xAxis: axis({type: "category", data: d.columns, name: d.x, nameLocation: "middle", nameGap: 24, splitLine: {show: false}}),
    yAxis: Object.assign(names(), {data: d.rows, inverse: true}),
    visualMap: {min: 0, max: d.max || 1, calculable: false, orient: "horizontal", left: "center", bottom: 0, itemHeight: 160, itemWidth: 12, text: [`${d.max} ${d.unit}`, "0"], textStyle: {color: colours.ink}, inRange: {color: [colours.panel, colours.c1]}},
    series: [{type: "heatmap", itemStyle: {borderColor: colours.paper, borderWidth: 1}, emphasis: {itemStyle: {borderColor: colours.ink}},
      data: d.cells.map(([x, y, v]) => ({value: [x, y, v], title: d.rows[y], info: [[d.x, d.columns[x]], [d.unit, long(v)]]}))}],
  });
}};

kinds.gantt = {option(d) {
  const zoomed = d.end - d.start;
  return frame({
    grid: {left: 12, right: 16, top: 34, bottom: 62, outerBoundsMode: "same", outerBoundsContain: "axisLabel"},
    legend: legend({data: d.legend.map(([, name]) => name), selectedMode: true}),
    xAxis: timeAxis(d.start, d.end),
    yAxis: Object.assign(names(), {data: d.rows, inverse: true, splitLine: {show: true, lineStyle: {color: colours.line}}}),
    dataZoom: [{type: "slider", xAxisIndex: 0, bottom: 4, height: 20, filterMode: "weakFilter", labelFormatter: ms => clock(ms / MS), textStyle: {color: colours.ink}, end: Math.min(100, 100 * 2880 / zoomed * (d.bars.length > 400 ? 1 : 4))}],
    series: d.legend.map(([key, name]) => ({
      name, type: "custom", encode: {x: [1, 2], y: 0}, itemStyle: {color: colours[key]}, clip: true,
      renderItem(params, api) {
        const a = api.coord([api.value(1), api.value(0)]), b = api.coord([api.value(2), api.value(0)]), tall = api.size([0, 1])[1] * .66;
        const shape = echarts.graphic.clipRectByRect({x: a[0], y: a[1] - tall / 2, width: Math.max(b[0] - a[0], 1.5), height: tall}, {x: params.coordSys.x, y: params.coordSys.y, width: params.coordSys.width, height: params.coordSys.height});
        if (!shape) return null;
        const label = d.bars[api.value(3)][4], roomy = shape.width > 26 && tall > 10;
        return {type: "rect", shape: Object.assign(shape, {r: 2}), style: {fill: colours[key], stroke: colours.paper, lineWidth: .7},
          textContent: roomy ? {type: "text", style: {text: label, fill: colours.halo, fontSize: Math.min(11, tall * .7), width: shape.width - 6, overflow: "truncate"}} : undefined,
          textConfig: {position: "inside"}};
      },
      data: d.bars.flatMap((bar, n) => bar[3] === key ? [{value: [bar[0], bar[1] * MS, bar[2] * MS, n], title: bar[4], info: bar[5]}] : []),
    })),
  });
}};

kinds.strings = {
  controls(box, d, state, draw) {
    if (d.lines.length > 1) choice(box, "Line", d.lines.map((line, n) => [n, line.name]), value => { state.line = +value; draw(); });
  },
  option(d, state) {
    const line = d.lines[state.line || 0], end = line.stations[line.stations.length - 1][0];
    const name = new Map(), gap = end * (phone() ? 26 : 16) / 460;
    for (const [km, text] of line.stations) if (!name.size || km === end || (km - [...name.keys()].pop() >= gap && end - km >= gap)) name.set(km, text);
    const groups = d.legend.filter(([key]) => line.strings.some(s => s[0] === key));
    const when = d.clock ? clock : value => long(value / 1440 + 1);
    return frame({
      legend: legend({data: groups.map(([, text]) => text)}),
      grid: {left: 12, right: 16, top: 34, bottom: 62, outerBoundsMode: "same", outerBoundsContain: "axisLabel"},
      xAxis: timeAxis(d.start, d.end),
      yAxis: axis({type: "value", min: 0, max: end, axisLabel: {color: colours.ink, customValues: [...name.keys()], formatter: km => name.get(km) || "", width: phone() ? 90 : 160, overflow: "truncate"}, axisTick: {show: true, customValues: line.stations.map(([km]) => km)}, splitLine: {show: false}}),
      dataZoom: [{type: "slider", xAxisIndex: 0, bottom: 4, height: 20, filterMode: "none", labelFormatter: ms => "day " + (Math.floor(ms / 864e5) + 1), textStyle: {color: colours.ink}}],
      series: groups.map(([key, text]) => ({
        name: text, type: "lines", coordinateSystem: "cartesian2d", polyline: true, clip: true, z: 4, itemStyle: {color: colours[key]},
        lineStyle: {color: colours[key], width: 1.5, opacity: .8, type: key === "c2" ? "dashed" : "solid"},
        emphasis: {lineStyle: {width: 4, opacity: 1}},
        data: line.strings.filter(s => s[0] === key).map(s => ({coords: s[2].map(([minute, km]) => [minute * MS, km]), lineStyle: {width: s[1]}, title: s[3], info: [["leaves", when(s[2][0][0])], ["arrives", when(s[2][s[2].length - 1][0])]].concat(s[4])})),
      })).concat([{type: "line", silent: true, data: [], z: 1, markLine: {z: 1, silent: true, symbol: "none", label: {show: false}, lineStyle: {color: colours.line, type: "solid"}, data: line.stations.map(([km]) => ({yAxis: km}))}}]),
    });
  },
};

/* ---- map ---- */
const LAYERS = [["1520", "rail 1520 mm", "g1520"], ["1435", "rail 1435 mm", "g1435"], ["1676", "rail 1676 mm", "g1676"], ["road", "road", "road"], ["ferry", "ferry", "ferry"], ["sea", "sea", "sea"]];
function mapLoads(d, state) {
  const sum = (which, parts) => {
    const total = new Map();
    const add = (rows, sign) => rows.forEach(([at, a, b]) => { const had = total.get(at) || [0, 0]; total.set(at, [had[0] + sign * a, had[1] + sign * b]); });
    for (const [number, sign] of parts) for (const [group, rows] of Object.entries(d[which][number] || {})) if (state.group === "*" || state.group === group) add(rows, sign);
    return total;
  };
  const parts = state.plan.startsWith("d") ? [[+state.plan.slice(1), 1], [0, -1]] : [[+state.plan, 1]];
  return {loads: sum("loads", parts), works: sum("works", parts), shut: new Set(d.closed[parts[0][0]] || [])};
}
kinds.map = {
  controls(box, d, state, draw, get) {
    Object.assign(state, {group: "*", plan: "0", unused: true, zoom: 1});
    if (d.groups.length > 2) choice(box, d.group_word || "Cargo", d.groups, value => { state.group = value; draw(); });
    if (d.plans.length > 1) choice(box, "Plan", d.plans.map((name, n) => [String(n), name]).concat(d.plans.slice(1).map((name, n) => ["d" + (n + 1), `Change: ${name} less ${d.plans[0]}`])), value => { state.plan = value; draw(); });
    const zoom = factor => {
      const geo = get().getOption().geo[0];
      get().setOption({geo: {zoom: factor ? Math.max(.15, Math.min(40, geo.zoom * factor)) : 1, center: factor ? geo.center : null}});
    };
    push(box, "+", "Zoom in", () => zoom(1.5)); push(box, "−", "Zoom out", () => zoom(1 / 1.5)); push(box, "Reset", "Reset the view", () => zoom(0));
    push(box, "Unused links", "", button => { state.unused = !state.unused; button.setAttribute("aria-pressed", state.unused); draw(); }).setAttribute("aria-pressed", "true");
  },
  keys(event, chart) {
    const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key];
    const geo = chart.getOption().geo[0];
    if (step) {
      const middle = chart.convertFromPixel("geo", [chart.getWidth() / 2, chart.getHeight() / 2]);
      const edge = chart.convertFromPixel("geo", [chart.getWidth() * .6, chart.getHeight() * .4]);
      chart.setOption({geo: {center: [middle[0] + step[0] * (edge[0] - middle[0]), middle[1] + step[1] * (edge[1] - middle[1])]}});
    } else if (event.key === "+" || event.key === "-") chart.setOption({geo: {zoom: geo.zoom * (event.key === "+" ? 1.5 : 1 / 1.5)}});
    else return;
    event.preventDefault();
  },
  option(d, state) {
    const {loads, works, shut} = mapLoads(d, state), change = state.plan.startsWith("d");
    const most = Math.max(1e-9, ...[...loads.values()].map(([a, b]) => Math.abs(a + b)));
    const mostWork = Math.max(1e-9, ...[...works.values()].map(([a, b]) => Math.abs(a) + Math.abs(b)));
    const info = (amount, words) => [[words, (change && amount > 0 ? "+" : "") + long(amount) + " " + d.unit]];
    const lines = new Map(LAYERS.map(([key]) => [key, []])), closed = [];
    d.links.forEach(([from, to, layer, pairs], n) => {
      const [forth, back] = loads.get(n) || [0, 0], load = forth + back, isShut = shut.has(n), used = Math.abs(load) > 1e-6;
      if (!used && !state.unused && !isShut) return;
      if (!used && layer === "sea" && !isShut) return;
      const a = d.nodes[from], b = d.nodes[to];
      const item = {
        coords: [[a[0], a[1]], [b[0], b[1]]], title: `${a[2]} – ${b[2]}`,
        info: (isShut ? [["closed", "in this scenario"]] : used ? info(load, change ? "change" : "load").concat(change ? [] : [[`to ${b[2]}`, long(forth)], [`to ${a[2]}`, long(back)]]) : [["load", "none"]]).concat(pairs),
        lineStyle: {width: used ? 1.5 + 8 * Math.sqrt(Math.abs(load) / most) : 1, opacity: used ? .9 : .38, curveness: layer === "sea" ? .22 : 0, type: layer === "sea" || layer === "ferry" ? [6, 4] : layer === "road" ? [3, 3] : "solid"},
      };
      if (used && layer === "road") item.lineStyle.type = "solid";
      if (change && used) item.lineStyle.color = load > 0 ? colours.c1 : colours.bad;
      if (isShut) { item.lineStyle = {width: 3, opacity: 1, type: [2, 4]}; closed.push(item); } else lines.get(layer).push(item);
    });
    const points = [[], [], [], []];
    d.nodes.forEach(([lon, lat, name, kind, pairs, named], n) => {
      const [changed, quay] = works.get(n) || [0, 0], work = Math.abs(changed) + Math.abs(quay);
      const extra = (changed ? info(changed, d.work_words[0]) : []).concat(quay ? info(quay, d.work_words[1]) : []);
      points[kind].push({value: [lon, lat], name, title: name, info: extra.concat(pairs), symbolSize: (kind === 0 ? 4 : 8) + (work > 0 ? 10 * Math.sqrt(work / mostWork) : 0), label: {show: named || work > 0}});
    });
    const mark = (name, n, symbol, fill) => ({name, type: "scatter", coordinateSystem: "geo", data: points[n], symbol, z: 5 + n, cursor: "default",
      itemStyle: {color: fill, borderColor: colours.ink, borderWidth: n ? 1.2 : .6},
      label: {formatter: at => at.data.name, position: "right", color: colours.ink, fontSize: 11, textBorderColor: colours.halo, textBorderWidth: 3}, labelLayout: {hideOverlap: true}});
    const shown = LAYERS.filter(([key]) => lines.get(key).length);
    const [west, south, east, north] = d.view;
    return frame({
      backgroundColor: colours.water,
      legend: legend({z: 20, bottom: 0, top: "auto", left: 4, right: 4, padding: [5, 8], backgroundColor: colours.paper}),
      geo: {map: "countries", roam: true, scaleLimit: {min: .15, max: 40}, boundingCoords: [[west, north], [east, south]], aspectScale: .8, preserveAspect: "contain", top: 6, bottom: 30, left: 0, right: 0, silent: true, zoom: 1,
        itemStyle: {areaColor: colours.land, borderColor: colours.border, borderWidth: .8}, emphasis: {disabled: true}, label: {show: false}},
      series: shown.map(([key, name, tone]) => ({name, type: "lines", coordinateSystem: "geo", data: lines.get(key), z: key === "sea" ? 2 : 3, lineStyle: {color: colours[tone]}, itemStyle: {color: colours[tone]}, emphasis: {lineStyle: {opacity: 1}}}))
        .concat(closed.length ? [{name: "closed", type: "lines", coordinateSystem: "geo", data: closed, z: 4, lineStyle: {color: colours.shut}, itemStyle: {color: colours.shut}}] : [])
        .concat([mark("place", 0, "circle", colours.paper), mark("break of gauge", 2, "diamond", colours.c5), mark("sea port", 1, "rect", colours.c4), mark("overseas port", 3, "triangle", colours.panel)].filter(s => s.data.length)),
    });
  },
};

/* ---- drawing ---- */
function draw(id) {
  const entry = charts.get(id), kind = kinds[entry.figure.kind];
  entry.chart.setOption(kind.option(entry.figure.data, entry.state), {replaceMerge: ["series", "legend"]});
}
function start(id) {
  const element = document.getElementById(id);
  if (charts.has(id) || !element || !element.clientWidth) return;
  const figure = page.figures[id], kind = kinds[figure.kind], state = {};
  const size = JSON.stringify(figure.data).length;
  const chart = echarts.init(element, null, {renderer: size > 400000 ? "canvas" : "svg"});
  charts.set(id, {chart, figure, state});
  if (kind.controls) kind.controls(document.getElementById(id + "c"), figure.data, state, () => draw(id), () => chart);
  if (kind.keys) {
    element.tabIndex = 0;
    element.addEventListener("keydown", event => kind.keys(event, chart));
    // The wheel scrolls the page; with Ctrl it zooms the map.
    element.addEventListener("wheel", event => { if (!event.ctrlKey) event.stopImmediatePropagation(); else event.preventDefault(); }, {capture: true, passive: false});
  }
  draw(id);
}
const startAll = () => Object.keys(page.figures).forEach(start);
function repaint() { readColours(); charts.forEach((_, id) => draw(id)); }

if (baseMap) echarts.registerMap("countries", {geoJSON: baseMap});
const dark = matchMedia("(prefers-color-scheme: dark)");
function theme(name) { root.dataset.theme = name; repaint(); }
root.dataset.theme = dark.matches ? "dark" : "light";
readColours();
dark.addEventListener("change", () => theme(dark.matches ? "dark" : "light"));
document.getElementById("theme").addEventListener("click", () => theme(root.dataset.theme === "dark" ? "light" : "dark"));
document.getElementById("patterns").addEventListener("click", event => { patterns = !patterns; event.currentTarget.setAttribute("aria-pressed", patterns); repaint(); });
document.getElementById("print").addEventListener("click", () => window.print());
const watcher = new IntersectionObserver(entries => entries.forEach(entry => { if (entry.isIntersecting) { watcher.unobserve(entry.target); start(entry.target.id); } }), {rootMargin: "600px"});
Object.keys(page.figures).forEach(id => watcher.observe(document.getElementById(id)));
document.querySelectorAll("details.fold").forEach(fold => fold.addEventListener("toggle", () => fold.querySelectorAll(".chart").forEach(element => start(element.id))));
let wait = 0;
window.addEventListener("resize", () => { clearTimeout(wait); wait = setTimeout(() => charts.forEach(({chart}, id) => { chart.resize(); draw(id); }), 120); });
let before = "light";
window.addEventListener("beforeprint", () => { before = root.dataset.theme; startAll(); theme("light"); charts.forEach(({chart}) => chart.resize({width: 680})); });
window.addEventListener("afterprint", () => { theme(before); charts.forEach(({chart}) => chart.resize({width: "auto"})); });
window.report = {charts, startAll, ready: true};
})();
