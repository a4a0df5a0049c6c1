//! What a page must hold, and what it must not.

mod sample;

use quick_xml::events::Event;
use sample::results;

use super::html;
use crate::bench::results::{Figure, Latency, Results, Spread};

/// Every element is closed where it should be, every attribute appears once, and no id twice. Returns the text.
fn checked(page: &str) -> String {
    const VOID: [&[u8]; 1] = [b"meta"];
    let style = page.find("<style>").expect("a style")..page.find("</style>").expect("its end");
    let rest = [&page[..style.start + 7], &page[style.end..]].concat();
    let mut reader = quick_xml::Reader::from_str(&rest);
    reader.config_mut().check_end_names = false;
    let (mut open, mut ids, mut text) = (Vec::new(), std::collections::HashSet::new(), String::new());
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(tag) => {
                for attribute in tag.html_attributes() {
                    let attribute = attribute.expect("an attribute, once");
                    let value = String::from_utf8(attribute.value.into_owned()).expect("text");
                    match attribute.key.as_ref() {
                        b"id" => assert!(ids.insert(value.clone()), "id {value} twice"),
                        b"href" => assert!(value.starts_with('#'), "{value}"),
                        b"src" | b"action" | b"srcset" => panic!("a reference: {value}"),
                        key => assert!(!key.starts_with(b"on"), "a script"),
                    }
                }
                assert!(
                    ![&b"script"[..], b"link", b"iframe", b"img"].contains(&tag.name().as_ref()),
                    "{tag:?}"
                );
                if !VOID.contains(&tag.name().as_ref()) {
                    open.push(tag.name().as_ref().to_vec());
                }
            }
            Event::End(tag) => assert_eq!(open.pop().as_deref(), Some(tag.name().as_ref())),
            Event::Text(part) => text.push_str(&part.decode().expect("text")),
            Event::GeneralRef(_) | Event::DocType(_) => {}
            Event::Eof => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    text
}

#[test]
fn a_run_is_shown_whole() {
    let page = html(&results());
    let text = checked(&page);
    for part in [
        "tierlog bench: bench-1",
        "2026-11-21 13:24 UTC",
        "EMULATED",
        "A commit of 64 B costs 1.08 times",
        "Noisy run.",
        "another process took 0.6 of a processor",
        "Latency percentiles",
        "99.99%",
        "commit at a rate",
        "preempted: the processor ran something else",
        "Throughput against threads",
        "Instructions by size",
        "Ways to the device by size and depth",
        "memory of node 1",
        "Peers side by side",
        "libpmemlog",
        "its software alone: rocksdb; sqlite",
        "cache misses",
        "MOVDIR64B",
        "tierlog bench standard --tail '/mnt/a b'",
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(!page.contains("://"), "a page refers to nothing outside");
    assert_eq!(
        page.matches("class=\"on\"").count(),
        page.matches("<h4>").count(),
        "a chart without its promise"
    );
}

#[test]
fn strings_of_others_stay_text() {
    let hostile = r#""'></style><script>alert(1)</script><img src=x onerror=alert(1)>&amp;"#;
    let mut json = serde_json::to_value(results()).expect("JSON");
    replace(&mut json, hostile);
    let hostile_results: Results = serde_json::from_value(json).expect("results");
    let page = html(&hostile_results);
    checked(&page);
    assert!(!page.contains("<script") && !page.contains("<img"));
    assert!(page.matches("&lt;script&gt;").count() > 50, "they are shown");
    assert_eq!(page.matches("</style>").count(), 1);
}

/// Puts a text in the place of every one but those that name a part.
fn replace(value: &mut serde_json::Value, text: &str) {
    match value {
        serde_json::Value::String(old) => *old = text.into(),
        serde_json::Value::Array(all) => all.iter_mut().for_each(|one| replace(one, text)),
        serde_json::Value::Object(all) => {
            all.iter_mut().filter(|(name, _)| *name != "group").for_each(|(_, one)| replace(one, text));
        }
        _ => {}
    }
}

#[test]
fn a_run_without_figures_says_so() {
    let mut empty = results();
    empty.figures.clear();
    empty.verdict.clear();
    empty.skipped.clear();
    empty.machine = Default::default();
    empty.noise = Default::default();
    let text = checked(&html(&empty));
    assert!(text.contains("Nothing was measured.") && !text.contains("EMULATED") && !text.contains("Noisy"));
}

#[test]
fn extremes_are_drawn_or_left_out() {
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, f64::MIN_POSITIVE, f64::MAX];
    for value in values {
        let mut extreme = results();
        extreme.figures.iter_mut().for_each(|figure| spoil(figure, value));
        extreme.noise.load = [value; 2];
        extreme.noise.steal = value;
        let page = html(&extreme);
        checked(&page);
        assert!(!page.contains("NaN") && !page.contains("inf"), "{value}");
    }
}

fn spoil(figure: &mut Figure, value: f64) {
    let spread = Spread { min: value, median: value, max: value };
    figure.per_s = Some(spread);
    figure.bytes_per_s = Some(spread);
    figure.counted.values_mut().for_each(|count| *count = value);
    if let Some(ratio) = &mut figure.ratio {
        ratio.value = spread;
    }
    let empty = Latency {
        count: 0,
        mean_ns: value,
        max_ns: u64::MAX,
        curve: vec![(value, u64::MAX); 3],
        ..sample::latency(9.0, 1)
    };
    figure.response = Some(empty);
    figure.at.size_bytes = figure.at.size_bytes.map(|_| u64::MAX);
    figure.stalls.iter_mut().for_each(|stall| stall.at_ms = value);
}

#[test]
fn a_page_grows_with_its_figures_only() {
    let mut many = results();
    let one = many.figures.swap_remove(0);
    many.figures = (0..3_000)
        .map(|i| {
            let mut figure = Figure { by: i.to_string(), latency: None, ..one.clone() };
            figure.at.size_bytes = Some(i);
            figure
        })
        .collect();
    let page = html(&many);
    assert!(page.contains("Not all fit") && page.len() < 3_000_000, "{} bytes", page.len());
}
