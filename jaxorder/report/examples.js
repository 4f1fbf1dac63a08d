// The table of all examples: unpacked, sorted, filtered and drawn as far as it is seen.
(function () {
  "use strict";
  const root = document.getElementById("example-table");
  const status = root.querySelector("[role=status]");
  if (typeof DecompressionStream === "undefined") {
    status.textContent = "This browser is too old to show more than these examples.";
    return;
  }
  const given = JSON.parse(document.getElementById("examples-data").textContent);
  const body = root.querySelector("tbody");
  const box = root.querySelector(".rows");
  const table = root.querySelector("table");
  const controls = root.querySelector("form");
  const pictured = given.parts.some((part) => part.sheet !== undefined);
  const HEIGHT = pictured ? 46 : 32; // pixels of a row
  const MOST = Math.floor(15e6 / HEIGHT); // browsers draw nothing that is taller
  const SPARE = 6; // rows drawn beyond those seen

  let rows; // { part, place, columns } of every row, columns as arrays
  let shown = []; // numbers of the rows that pass the filters, in order
  let order = { column: "accessibility", up: true };

  async function inflated(text) {
    const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream();
    const whole = stream.pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(whole).arrayBuffer());
  }

  function read(content, column) {
    if (!column.bytes) {
      const held = content.subarray(column.at, column.at + column.length);
      return new TextDecoder().decode(held).split("\n");
    }
    const values = new Float64Array(column.length);
    let weight = 1;
    for (let plane = 0; plane < column.bytes; plane++) {
      const at = column.at + plane * column.length;
      for (let i = 0; i < column.length; i++) values[i] += weight * content[at + i];
      weight *= 256;
    }
    for (let i = 0; i < column.length; i++) {
      if (column.levels) {
        const level = column.levels[values[i]];
        values[i] = level === null ? NaN : level;
      } else if (column.scale) values[i] /= column.scale;
    }
    return values;
  }

  // One array a column, over the rows of all models and splits.
  function joined(content) {
    const total = given.parts.reduce((sum, part) => sum + part.examples, 0);
    const found = { part: new Uint16Array(total), columns: {}, texts: [] };
    let first = 0;
    given.parts.forEach((part, number) => {
      found.part.fill(number, first, first + part.examples);
      for (const name of Object.keys(part.columns)) {
        const values = read(content, part.columns[name]);
        if (name === "text") {
          for (let i = 0; i < part.examples; i++) found.texts[first + i] = values[i];
          continue;
        }
        found.columns[name] = found.columns[name] || new Float64Array(total);
        found.columns[name].set(values, first);
      }
      first += part.examples;
    });
    return found;
  }

  const partOf = (row) => given.parts[rows.part[row]];
  const named = (row, column) =>
    given.classes[partOf(row).classes][rows.columns[column][row]];
  const digits = (value, many) => (isNaN(value) ? "never" : value.toFixed(many));

  // What stands in a cell, and what it is sorted by.
  const CELLS = {
    id: [(row) => String(rows.columns.id[row])],
    label: [(row) => named(row, "label"), (row) => named(row, "label")],
    answer: [(row) => named(row, "answer"), (row) => named(row, "answer")],
    accessibility: [(row) => digits(rows.columns.accessibility[row], 3)],
    agreement: [(row) => digits(rows.columns.agreement[row], 2)],
    right: [(row) => digits(rows.columns.right[row], 2)],
    forgetting: [(row) => digits(rows.columns.forgetting[row], 2)],
    learned: [
      (row) => {
        const when = rows.columns.learned[row];
        return isNaN(when) ? "never" : String(when);
      },
    ],
    model: [(row) => partOf(row).letter, (row) => partOf(row).letter],
    split: [(row) => partOf(row).split, (row) => partOf(row).split],
    text: [(row) => rows.texts[row] || "", (row) => rows.texts[row] || ""],
  };

  function chosen() {
    const asked = Object.fromEntries(new FormData(controls));
    const words = asked.search.trim().toLowerCase();
    const number = /^\d+$/.test(words) ? Number(words) : NaN;
    const matches = (row) =>
      isNaN(number)
        ? [named(row, "label"), named(row, "answer"), rows.texts[row] || ""].some(
            (each) => each.toLowerCase().includes(words)
          )
        : rows.columns.id[row] === number;
    const found = [];
    for (let row = 0; row < rows.part.length; row++) {
      const part = partOf(row);
      const right = rows.columns.answer[row] === rows.columns.label[row];
      if (asked.model && part.letter !== asked.model) continue;
      if (asked.split && part.split !== asked.split) continue;
      if (asked.label && named(row, "label") !== asked.label) continue;
      if (asked.answers && right !== (asked.answers === "right")) continue;
      if (words && !matches(row)) continue;
      found.push(row);
    }
    return found;
  }

  function sorted(found) {
    const [, key] = CELLS[order.column];
    const sign = order.up ? 1 : -1;
    if (key) {
      const compare = new Intl.Collator(undefined, { numeric: true }).compare;
      const words = [...new Set(found.map(key))].sort(compare);
      const place = new Map(words.map((word, i) => [word, i]));
      const places = new Map(found.map((row) => [row, place.get(key(row))]));
      return found.sort((a, b) => sign * (places.get(a) - places.get(b)) || a - b);
    }
    const values = rows.columns[order.column];
    return found.sort((a, b) => {
      const x = values[a];
      const y = values[b];
      if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y) || a - b; // never: last
      return sign * (x - y) || a - b;
    });
  }

  function spacer(many) {
    const row = document.createElement("tr");
    row.className = "spacer";
    row.setAttribute("aria-hidden", "true");
    row.innerHTML = `<td style="height:${many * HEIGHT}px"></td>`;
    return row;
  }

  function thumbnail(row) {
    const cell = document.createElement("td");
    const place = rows.columns.picture ? rows.columns.picture[row] - 1 : -1;
    const made = given.sheets[partOf(row).sheet];
    if (place < 0 || !made) return cell;
    const canvas = document.createElement("canvas");
    canvas.width = made.width;
    canvas.height = made.height;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `picture of example ${CELLS.id[0](row)}`);
    const x = (place % made.columns) * made.width;
    const y = Math.floor(place / made.columns) * made.height;
    const sheet = document.getElementById(`sheet-${partOf(row).sheet}`);
    const size = [made.width, made.height];
    canvas.getContext("2d").drawImage(sheet, x, y, ...size, 0, 0, ...size);
    cell.append(canvas);
    return cell;
  }

  function line(row, position) {
    const made = document.createElement("tr");
    made.setAttribute("aria-rowindex", position + 2); // the head is the first
    const right = rows.columns.answer[row] === rows.columns.label[row];
    for (const column of given.head) {
      if (column === "picture") {
        made.append(thumbnail(row));
        continue;
      }
      const cell = document.createElement(column === "id" ? "th" : "td");
      if (column === "id") cell.scope = "row";
      if (column === "answer" && !right) cell.className = "wrong";
      cell.textContent = CELLS[column][0](row);
      made.append(cell);
    }
    return made;
  }

  function draw() {
    const first = Math.max(0, Math.floor(box.scrollTop / HEIGHT) - SPARE);
    const last = Math.min(
      shown.length,
      first + Math.ceil(box.clientHeight / HEIGHT) + 2 * SPARE
    );
    const lines = shown.slice(first, last).map((row, i) => line(row, first + i));
    body.replaceChildren(spacer(first), ...lines, spacer(shown.length - last));
  }

  function update() {
    const found = sorted(chosen());
    const many = found.length;
    shown = found.slice(0, MOST);
    table.setAttribute("aria-rowcount", shown.length + 1);
    const cut = many > MOST ? `; the first ${MOST.toLocaleString("en")} are listed` : "";
    const of = rows.part.length.toLocaleString("en");
    status.textContent = many
      ? `${many.toLocaleString("en")} of ${of} rows${cut}.`
      : "No example is so: take a filter back.";
    for (const head of root.querySelectorAll("thead th[data-column]")) {
      const mine = head.dataset.column === order.column;
      const way = order.up ? "ascending" : "descending";
      if (mine) head.setAttribute("aria-sort", way);
      else head.removeAttribute("aria-sort");
    }
    box.scrollTop = 0;
    draw();
  }

  function sortable(head) {
    const column = head.dataset.column;
    if (!CELLS[column]) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => {
      order = { column, up: order.column === column ? !order.up : true };
      update();
    });
    head.replaceChildren(button);
  }

  async function begin() {
    rows = joined(await inflated(given.content));
    const sheets = [...root.querySelectorAll("img.sheet")];
    await Promise.all(sheets.map((sheet) => sheet.decode().catch(() => null)));
    root.style.setProperty("--row", `${HEIGHT}px`);
    root.classList.add("alive");
    controls.hidden = false;
    root.querySelectorAll("thead th[data-column]").forEach(sortable);
    controls.addEventListener("input", update);
    controls.addEventListener("submit", (event) => event.preventDefault());
    let waiting = false;
    box.addEventListener("scroll", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        draw();
      });
    });
    update();
  }

  begin();
})();
