//! A plot as SVG: both axes logarithmic, one line for each series.

use std::fmt::Write as _;

/// A name, and seconds by number of stacks.
pub type Series = (&'static str, Vec<(usize, f64)>);

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 120.0;
const TOP: f64 = 34.0;
/// Two labels with less distance would overlap.
const LINE_HEIGHT: f64 = 14.0;
const BOTTOM: f64 = 50.0;
/// The axes' ends, as powers of ten: 1 to 1,000 stacks, 1 to 10,000 seconds.
const DECADES: (f64, f64) = (3.0, 4.0);
/// The dashes distinguish the lines without colours, too.
const LOOKS: [(&str, &str); 3] = [("#1b6ca8", ""), ("#c0392b", "6 3"), ("#2e7d32", "2 3")];

fn x(stacks: f64) -> f64 {
    LEFT + stacks.log10() / DECADES.0 * (WIDTH - LEFT - RIGHT)
}

fn y(seconds: f64) -> f64 {
    let from_below = seconds.max(1.0).log10() / DECADES.1 * (HEIGHT - TOP - BOTTOM);
    HEIGHT - BOTTOM - from_below
}

fn text(svg: &mut String, at: (f64, f64), anchor: &str, text: &str) {
    let (x, y) = at;
    let _ = writeln!(
        svg,
        r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
    );
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(
        svg,
        r##"<line x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" stroke="#ddd"/>"##,
        from.0, from.1, to.0, to.1
    );
}

/// The plot of the time until all Creates were answered.
pub fn drawn(series: &[Series]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>Time until all Creates were answered, against the number of stacks</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    for stacks in [1.0, 10.0, 100.0, 1000.0] {
        line(&mut svg, (x(stacks), TOP), (x(stacks), bottom));
        text(
            &mut svg,
            (x(stacks), bottom + 16.0),
            "middle",
            &format!("{stacks}"),
        );
    }
    for seconds in [1.0, 10.0, 100.0, 1000.0, 10_000.0] {
        line(&mut svg, (LEFT, y(seconds)), (right, y(seconds)));
        text(
            &mut svg,
            (LEFT - 6.0, y(seconds) + 4.0),
            "end",
            &format!("{seconds} s"),
        );
    }
    text(
        &mut svg,
        (10.0, 20.0),
        "start",
        "time until all Creates were answered",
    );
    let middle = f64::midpoint(LEFT, right);
    text(
        &mut svg,
        (middle, HEIGHT - 12.0),
        "middle",
        "stacks created at once",
    );
    draw_lines(&mut svg, series);
    svg.push_str("</svg>\n");
    svg
}

/// The line of each series, with its name at its end. Lines that end at one place share a label.
fn draw_lines(svg: &mut String, series: &[Series]) {
    let mut labels: Vec<(f64, String)> = vec![];
    for ((name, points), (colour, dashes)) in series.iter().zip(LOOKS) {
        let mut path = String::new();
        let mut last = (0.0, 0.0);
        for (stacks, took) in points {
            let stacks = f64::from(u32::try_from(*stacks).unwrap_or(u32::MAX));
            last = (x(stacks), y(*took));
            let _ = write!(path, "{:.1},{:.1} ", last.0, last.1);
        }
        let _ = writeln!(
            svg,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dashes}"/>"#,
            path.trim_end()
        );
        match labels
            .iter_mut()
            .find(|(y, _)| (*y - last.1).abs() < LINE_HEIGHT)
        {
            Some((_, names)) => {
                let _ = write!(names, ", {name}");
            }
            None => labels.push((last.1, (*name).to_owned())),
        }
    }
    for (y, names) in labels {
        text(svg, (WIDTH - RIGHT + 8.0, y + 4.0), "start", &names);
    }
}
