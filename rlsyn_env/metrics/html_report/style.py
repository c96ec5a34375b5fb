"""The style sheet: one column on a phone, no colour that carries a meaning alone."""

CSS = """
:root { color-scheme: light dark; --ink:#1a1a1a; --soft:#555; --line:#c9c9c9; --paper:#fff;
  --card:#f5f5f3; --mark:#7a2e00; }
@media (prefers-color-scheme: dark) { :root { --ink:#e8e8e6; --soft:#b0b0ac; --line:#4a4a48;
  --paper:#181818; --card:#232322; --mark:#ffb27a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; padding-top: .6rem;
  border-top: 2px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; }
p, ul { max-width: 46rem; margin: .5rem 0; }
ul { padding-left: 1.2rem; }
a { color: inherit; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1rem; list-style: none; padding: 0; }
nav a { display: inline-block; padding: .4rem 0; }
.soft, figcaption { color: var(--soft); font-size: .9rem; }
.note { border-left: 4px solid var(--mark); background: var(--card); padding: .6rem .9rem;
  max-width: 46rem; margin: .8rem 0; }
dl.verdict { margin: .8rem 0; max-width: 46rem; }
dl.verdict dt { font-weight: 700; margin-top: .7rem; }
dl.verdict dd { margin: .1rem 0 0; }
table { border-collapse: collapse; width: 100%; margin: .8rem 0; font-size: .92rem; }
th, td { padding: .4rem .55rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { text-align: left; }
td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td small { display: block; }
thead th { text-align: right; white-space: nowrap; }
thead th:first-child { text-align: left; }
table.texts td { text-align: left; white-space: normal; }
table.texts thead th { text-align: left; }
tbody th { font-weight: 600; max-width: 26rem; }
tbody th small { display: block; font-weight: 400; color: var(--soft); }
.outside { font-weight: 700; color: var(--mark); }
figure { margin: .6rem 0; }
img { display: block; width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: 4px; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr));
  gap: .8rem; align-items: start; }
.grid figure { margin: 0; }
.middle { max-width: 34rem; }
details { margin: .6rem 0; border: 1px solid var(--line); border-radius: 4px; padding: 0 .8rem; }
summary { cursor: pointer; padding: .7rem 0; font-weight: 600; }
@media (max-width: 640px) {
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody, tbody th, td { display: block; width: 100%; max-width: none; }
  tr { display: grid; grid-template-columns: 1fr 1.35fr 1fr; border: 1px solid var(--line);
    border-radius: 4px; margin: .6rem 0; background: var(--card); padding: .3rem 0; }
  th, td { border-bottom: 0; padding: .15rem .6rem; }
  tbody th { grid-column: 1 / -1; }
  td { text-align: left; white-space: normal; }
  td::before { content: attr(data-label); display: block; color: var(--soft); font-size: .8rem; }
  table.texts td { grid-column: 1 / -1; }
}
@media print { nav { display: none; } details { border: 0; } }
"""
