//! Figures as a table for other programs (RFC 4180), a line each; empty where a figure has nothing to say.

use super::kinds;
use super::results::{Figure, Latency, Results};

const COLUMNS: &str = "group,what,by,size_bytes,threads,batch,depth,lanes,rate_per_s,cpu_node,memory_node,medium,promise,runs,\
per_s_min,per_s_median,per_s_max,bytes_per_s_min,bytes_per_s_median,bytes_per_s_max,\
samples,mean_ns,p50_ns,p90_ns,p99_ns,p99_9_ns,p99_99_ns,max_ns,\
response_p50_ns,response_p99_ns,response_p99_9_ns,response_p99_99_ns,response_max_ns,\
ratio_to,ratio_of,ratio_min,ratio_median,ratio_max,counted,note";

/// All figures.
pub fn csv(results: &Results) -> String {
    let mut text = format!("{COLUMNS}\r\n");
    for figure in &results.figures {
        let row: Vec<String> = row(figure).iter().map(|field| quoted(field)).collect();
        text += &row.join(",");
        text += "\r\n";
    }
    text
}

fn row(figure: &Figure) -> Vec<String> {
    fn shown<T: ToString>(value: Option<T>) -> String {
        value.map_or(String::new(), |value| value.to_string())
    }
    let at = &figure.at;
    let mut row = vec![kinds::name(figure.group).to_string(), figure.what.clone(), figure.by.clone()];
    row.push(shown(at.size_bytes));
    row.extend([at.threads, at.batch, at.depth, at.lanes].map(shown));
    row.push(shown(at.rate_per_s));
    row.extend([at.cpu_node, at.memory_node].map(shown));
    row.extend([figure.medium.clone(), figure.promise.clone(), figure.runs.to_string()]);
    for spread in [figure.per_s, figure.bytes_per_s] {
        row.extend([spread.map(|it| it.min), spread.map(|it| it.median), spread.map(|it| it.max)].map(shown));
    }
    let of =
        |latency: &Option<Latency>, ns: fn(&Latency) -> Option<u64>| shown(latency.as_ref().and_then(ns));
    row.push(of(&figure.latency, |it| Some(it.count)));
    row.push(shown(figure.latency.as_ref().map(|it| it.mean_ns)));
    row.push(of(&figure.latency, |it| Some(it.p50_ns)));
    row.push(of(&figure.latency, |it| it.p90_ns));
    for latency in [&figure.latency, &figure.response] {
        if std::ptr::eq(latency, &figure.response) {
            row.push(of(latency, |it| Some(it.p50_ns)));
        }
        row.push(of(latency, |it| it.p99_ns));
        row.push(of(latency, |it| it.p99_9_ns));
        row.push(of(latency, |it| it.p99_99_ns));
        row.push(of(latency, |it| Some(it.max_ns)));
    }
    let ratio = figure.ratio.as_ref();
    row.extend([ratio.map(|it| it.to.clone()), ratio.map(|it| it.of.clone())].map(shown));
    row.extend(
        [ratio.map(|it| it.value.min), ratio.map(|it| it.value.median), ratio.map(|it| it.value.max)]
            .map(shown),
    );
    let counted: Vec<String> = figure.counted.iter().map(|(name, value)| format!("{name}={value}")).collect();
    row.extend([counted.join(" "), figure.note.clone().unwrap_or_default()]);
    row
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::{Group, Point};

    #[test]
    fn every_line_has_every_column() {
        let mut figure =
            Figure::new(Group::Engine, "commit", "tierlog, \"ours\"", Point::default(), "tail", "nothing");
        figure.note = Some("a\nb".into());
        assert_eq!(row(&figure).len(), COLUMNS.split(',').count());
        assert_eq!(
            row(&figure).iter().map(|field| quoted(field)).nth(2).unwrap(),
            "\"tierlog, \"\"ours\"\"\""
        );
    }
}
