// Stacked bars of a report, in the colours that the same states have everywhere else.
(function () {
  "use strict";

  const style = () => getComputedStyle(document.documentElement);
  const token = (name) => style().getPropertyValue(name).trim();

  function draw(box) {
    const data = JSON.parse(box.dataset.chart);
    const old = echarts.getInstanceByDom(box);
    if (old) old.dispose();
    const chart = echarts.init(box, null, { renderer: "canvas" });
    const text = { color: token("--ink"), fontFamily: token("--font"), fontSize: 12 };
    chart.setOption({
      animation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      animationDuration: 150,
      textStyle: text,
      grid: { left: 8, right: 24, top: 36, bottom: 8, containLabel: true },
      legend: { top: 0, left: 0, itemWidth: 12, itemHeight: 12, textStyle: text },
      tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, renderMode: "richText", confine: true },
      xAxis: {
        type: "value",
        axisLabel: { color: token("--muted"), hideOverlap: true },
        splitNumber: box.clientWidth < 500 ? 2 : 5,
        splitLine: { lineStyle: { color: token("--line") } },
      },
      yAxis: {
        type: "category",
        inverse: true,
        data: data.names,
        axisLabel: { color: token("--ink"), width: 160, overflow: "truncate" },
        axisTick: { show: false },
        axisLine: { lineStyle: { color: token("--line-strong") } },
      },
      series: data.series.map((line) => ({
        name: line.name,
        type: "bar",
        stack: "all",
        barMaxWidth: 22,
        data: line.values,
        itemStyle: { color: token("--state-" + line.state), borderColor: token("--surface"), borderWidth: 1 },
      })),
    });
  }

  function drawAll() {
    document.querySelectorAll("[data-chart]").forEach(draw);
  }

  document.addEventListener("DOMContentLoaded", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  addEventListener("resize", () => {
    document.querySelectorAll("[data-chart]").forEach((box) => {
      const chart = echarts.getInstanceByDom(box);
      if (chart) chart.resize();
    });
  });
})();
