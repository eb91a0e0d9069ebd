use std::{collections::BTreeMap, fmt::Write};

use super::Row;

/// Points that belong together.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is of.
    pub name: String,
    /// Where it goes, left to right; both above zero.
    pub points: Vec<(f64, f64)>,
}

/// A figure with logarithmic axes.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Above it.
    pub title: String,
    /// Below it.
    pub x: &'static str,
    /// Beside it.
    pub y: &'static str,
    /// What is drawn.
    pub lines: Vec<Line>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
const COLOURS: [&str; 8] =
    ["#1b6ca8", "#c0392b", "#27824a", "#8e44ad", "#d68910", "#117a65", "#7b7d7d", "#2c3e50"];

/// From values to places.
#[derive(Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Whole decades around the values.
    fn around(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let high = values.fold(0.0, f64::max).log10().ceil();
        Self { low, high: high.max(low + 1.0), from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value.log10() - self.low) / (self.high - self.low);
        self.from + share * (self.to - self.from)
    }

    fn decades(&self) -> impl Iterator<Item = f64> + use<> {
        let (mut next, high) = (self.low, self.high);
        std::iter::from_fn(move || {
            let value = (next <= high).then(|| 10_f64.powf(next));
            next += 1.0;
            value
        })
    }
}

impl Figure {
    /// The figure as an SVG image; the same lines give the same bytes.
    #[must_use]
    pub fn svg(&self) -> String {
        let points = self.lines.iter().flat_map(|line| line.points.iter().copied());
        let x = Scale::around(points.clone().map(|(x, _)| x), LEFT, WIDTH - RIGHT);
        let y = Scale::around(points.map(|(_, y)| y), HEIGHT - BOTTOM, TOP);
        let mut out = String::new();
        self.frame(&mut out, &x, &y).expect("strings take all");
        for (n, line) in self.lines.iter().enumerate() {
            draw(&mut out, line, n, &x, &y).expect("strings take all");
        }
        out + "</svg>\n"
    }

    fn frame(&self, out: &mut String, x: &Scale, y: &Scale) -> std::fmt::Result {
        let Self { title, x: below, y: beside, .. } = self;
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
             <text x=\"{LEFT}\" y=\"24\" font-size=\"14\">{title}</text>"
        )?;
        for value in x.decades() {
            let (at, end) = (x.place(value), HEIGHT - BOTTOM);
            writeln!(out, "<path d=\"M{at:.1} {TOP}V{end}\" stroke=\"#ddd\"/>")?;
            let (label, under) = (si(value), end + 16.0);
            writeln!(
                out,
                "<text x=\"{at:.1}\" y=\"{under}\" text-anchor=\"middle\">{label}</text>"
            )?;
        }
        for value in y.decades() {
            let (at, end) = (y.place(value), WIDTH - RIGHT);
            writeln!(out, "<path d=\"M{LEFT} {at:.1}H{end}\" stroke=\"#ddd\"/>")?;
            let (label, before, base) = (si(value), LEFT - 6.0, at + 4.0);
            writeln!(
                out,
                "<text x=\"{before}\" y=\"{base:.1}\" text-anchor=\"end\">{label}</text>"
            )?;
        }
        let (middle, under) = ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 12.0);
        writeln!(out, "<text x=\"{middle}\" y=\"{under}\" text-anchor=\"middle\">{below}</text>")?;
        let half = HEIGHT / 2.0;
        writeln!(
            out,
            "<text transform=\"translate(16 {half}) rotate(-90)\" text-anchor=\"middle\">{beside}</text>"
        )
    }
}

fn draw(out: &mut String, line: &Line, n: usize, x: &Scale, y: &Scale) -> std::fmt::Result {
    let colour = COLOURS[n % COLOURS.len()];
    let dashes = if n < COLOURS.len() { "" } else { " stroke-dasharray=\"5 3\"" };
    let places = line.points.iter().map(|(a, b)| (x.place(*a), y.place(*b)));
    let path: Vec<String> = places.clone().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    let path = path.join("L");
    writeln!(
        out,
        "<path d=\"M{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>"
    )?;
    for (x, y) in places {
        writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>")?;
    }
    let (left, base) = (WIDTH - RIGHT + 12.0, TOP + 10.0 + 18.0 * n as f64);
    let (from, name) = (left + 22.0, &line.name);
    writeln!(
        out,
        "<path d=\"M{left} {base}h18\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}/>\n\
         <text x=\"{from}\" y=\"{}\">{name}</text>",
        base + 4.0
    )
}

/// A power of ten in short.
fn si(value: f64) -> String {
    let (unit, by) = match value {
        1e9.. => ("G", 1e9),
        1e6.. => ("M", 1e6),
        1e3.. => ("k", 1e3),
        _ => ("", 1.0),
    };
    format!("{}{unit}", value / by)
}

/// Bytes of requests against changed leaves, a line each strategy, and the bound; of rows of one
/// path.
#[must_use]
pub fn bytes_against_d(title: &str, rows: &[Row]) -> Figure {
    let mut lines = lines(rows, |row| (row.point.edit.d as f64, row.up as f64));
    let mut bound: Vec<(f64, f64)> =
        rows.iter().map(|row| (row.point.edit.d as f64, row.truth.bound.max(1.0))).collect();
    bound.dedup();
    lines.push(Line { name: "bound".into(), points: bound });
    Figure { title: title.into(), x: "changed leaves", y: "bytes of requests", lines }
}

/// Seconds against the round trip in milliseconds, a line each strategy; of rows of one point.
#[must_use]
pub fn time_against_rtt(title: &str, rows: &[Row]) -> Figure {
    let lines = lines(rows, |row| (row.path.rtt_micros as f64 / 1e3, row.seconds));
    Figure { title: title.into(), x: "round trip, ms", y: "seconds", lines }
}

fn lines(rows: &[Row], place: impl Fn(&Row) -> (f64, f64)) -> Vec<Line> {
    let mut order = Vec::new();
    let mut all: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for row in rows {
        let points = all.entry(row.strategy).or_default();
        if points.is_empty() {
            order.push(row.strategy);
        }
        points.push(place(row));
    }
    let line = |name: &str| Line { name: name.into(), points: all[name].clone() };
    order.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_logarithmic_and_within_the_frame() {
        let scale = Scale::around([3.0, 4_000.0].into_iter(), 0.0, 400.0);
        assert_eq!(scale.decades().collect::<Vec<_>>(), [1.0, 10.0, 100.0, 1e3, 1e4]);
        assert!((scale.place(10.0) - 100.0).abs() < 1e-9);
        assert_eq!((si(1.0), si(1e3), si(1e7)), ("1".into(), "1k".into(), "10M".into()));
    }

    #[test]
    fn every_line_is_drawn_and_named() {
        let line = |name: &str| Line { name: name.into(), points: vec![(1.0, 2.0), (10.0, 500.0)] };
        let lines = vec![line("one"), line("two")];
        let svg = Figure { title: "t".into(), x: "x", y: "y", lines }.svg();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<circle").count(), 4);
        assert!(svg.contains(">one<") && svg.contains(">two<"));
    }
}
