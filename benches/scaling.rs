//! Whether a reserve costs more where there is more: rate and memory against 1,000 to 1,000,000
//! open holds of one SKU, and against as many SKUs, through the whole runtime on one shard.
//!
//! `cargo bench --bench scaling` prints the table and draws `docs/scaling.svg`. Every point is a
//! process of its own: it fills its tables, then 20,000 reserves in messages of 1,000, four in
//! flight, are timed. What is resident is taken after filling. Deliberately absent: HTTP, which does
//! not know how full a table is.

#[allow(dead_code, reason = "each bench takes its part")]
mod common;

use common::report::{Aim, Report, Samples, Unit};
use common::{all_done, directory, machine, payload, play, role};
use holdfast_runtime::{Router, Runtime, Settings};
use plotters::prelude::{
    BLACK, BLUE, ChartBuilder, Circle, IntoDrawingArea, IntoLogRange, LineSeries, RED, SVGBackend,
    SeriesLabelPosition, WHITE,
};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SIZES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Of every point; they take turns.
const ROUNDS: usize = 3;
const MESSAGE: u64 = 1_000;
const IN_FLIGHT: usize = 4;
const TIMED: u64 = 20_000;

/// What there is many of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Many {
    Holds,
    Skus,
}

/// A point of a curve: how many, the rate, bytes of each.
struct Point {
    count: u64,
    rate: Samples,
    bytes: Samples,
}

fn main() {
    if let Some(role) = role() {
        let tokio = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("threads");
        let (what, count) = role.split_once(' ').expect("the parent names two things");
        let many = if what == "holds" {
            Many::Holds
        } else {
            Many::Skus
        };
        let count = count.parse().expect("the parent names a count");
        return tokio.block_on(measure(many, count));
    }
    let mut report = Report::new("scaling");
    let holds = curve("holds");
    let skus = curve("skus");
    for (name, points) in [("open holds of one SKU", &holds), ("SKUs", &skus)] {
        let first = &points[0].rate;
        for point in points {
            let beside = format!(
                "{} of that at 1,000; of each {} resident",
                point.rate.over(first).show(Unit::Ratio),
                point.bytes.show(Unit::Bytes),
            );
            let count = Unit::Count.show(point.count as f64);
            let figure = format!("reserves beside {count} {name}");
            report.figure(figure, Aim::None, Unit::PerSecond, &point.rate, beside);
        }
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scaling.svg");
    draw(&page, &holds, &skus).expect("the picture can be written");
    report.end();
}

fn curve(what: &str) -> Vec<Point> {
    let mut points = SIZES.map(|count| Point {
        count,
        rate: Samples::default(),
        bytes: Samples::default(),
    });
    // Rounds take turns, so that a noisy minute touches every point.
    for _ in 0..ROUNDS {
        for point in &mut points {
            let [rate, bytes] = child(&format!("{what} {}", point.count));
            point.rate.push(rate);
            point.bytes.push(bytes);
        }
    }
    points.into()
}

fn child(role: &str) -> [f64; 2] {
    let mut child = play(role).spawn().expect("this bench starts again");
    let mut said = String::new();
    let mut out = child.stdout.take().expect("it is a pipe");
    out.read_to_string(&mut said).expect("it speaks");
    let ended = child.wait().expect("it ends");
    assert!(ended.success(), "{role} was not measured");
    let mut numbers = said
        .split_whitespace()
        .map(|number| number.parse().expect("it says two numbers"));
    [(); 2].map(|()| numbers.next().expect("it says two numbers"))
}

async fn measure(many: Many, count: u64) {
    let dir = directory();
    let mut settings = Settings::new(dir.path());
    settings.data.cache_bytes = 1 << 20;
    settings.lookup.enabled = false;
    settings.config_permits = settings.permits;
    let runtime = Runtime::start(settings).await.expect("the runtime starts");
    let router = runtime.router();
    let before = at_rest().await;
    let skus = payload::skus(match many {
        Many::Holds => 1,
        Many::Skus => count as usize,
    });
    for some in skus.chunks(MESSAGE as usize) {
        all_done(&router, payload::stocking(some)).await;
    }
    let mut next = 0;
    if many == Many::Holds {
        while next < count {
            all_done(&router, payload::message(next, MESSAGE, &skus, None)).await;
            next += MESSAGE;
        }
    }
    let bytes = (at_rest().await.saturating_sub(before)) as f64 / count as f64;
    let took = timed(&router, next, Arc::new(skus)).await;
    println!("{} {bytes}", TIMED as f64 / took.as_secs_f64());
    runtime.halt().await;
}

/// How long the reserves from `first` on take.
async fn timed(router: &Router, first: u64, skus: Arc<Vec<holdfast_core::Sku>>) -> Duration {
    let messages: Vec<_> = (first..first + TIMED)
        .step_by(MESSAGE as usize)
        .map(|first| payload::message(first, MESSAGE, &skus, None))
        .collect();
    let messages = Arc::new(messages);
    let next = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let callers: Vec<_> = (0..IN_FLIGHT)
        .map(|_| {
            let (router, messages, next) =
                (router.clone(), Arc::clone(&messages), Arc::clone(&next));
            tokio::spawn(async move {
                let take = || next.fetch_add(1, Ordering::Relaxed) as usize;
                while let Some(message) = messages.get(take()) {
                    all_done(&router, message.clone()).await;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("every reserve was done");
    }
    start.elapsed()
}

/// What is resident once nothing moves any more.
async fn at_rest() -> u64 {
    tokio::time::sleep(Duration::from_millis(300)).await;
    machine::resident()
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Two pictures side by side: rate, and bytes of each.
fn draw(page: &Path, holds: &[Point], skus: &[Point]) -> Drawn {
    let area = SVGBackend::new(page, (960, 360)).into_drawing_area();
    area.fill(&WHITE)?;
    let (left, right) = area.split_horizontally(480);
    let curves = [(holds, "open holds", BLUE), (skus, "SKUs", RED)];
    for (area, title, value) in [
        (
            left,
            "reserves a second, durable",
            (|point: &Point| point.rate.median()) as fn(&Point) -> f64,
        ),
        (right, "bytes resident of each", |point| {
            point.bytes.median()
        }),
    ] {
        let all = holds.iter().chain(skus).map(value);
        // Beside a thousand of something, what the process needs anyway is most of it.
        let top = all.fold(0.0, f64::max) * 1.1;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(72)
            .build_cartesian_2d((800.0..1_250_000.0).log_scale(), 0.0..top)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_labels(4)
            .x_desc("how many there are")
            .x_label_formatter(&|count: &f64| Unit::Count.show(*count))
            .y_label_formatter(&|value: &f64| Unit::Count.show(*value))
            .draw()?;
        for (points, name, colour) in curves {
            let line = || {
                points
                    .iter()
                    .map(|point| (point.count as f64, value(point)))
            };
            chart
                .draw_series(LineSeries::new(line(), colour))?
                .label(name)
                .legend(move |(x, y)| Circle::new((x + 8, y), 4, colour));
            chart.draw_series(line().map(|at| Circle::new(at, 3, colour)))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE)
            .border_style(BLACK)
            .draw()?;
    }
    area.present()?;
    Ok(())
}
