//! A reading as the metrics library collects it.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, MetricEncoder, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use super::{
    catalogue::{self, Kind, Metric, Sample, Value},
    reading::Reading,
};

/// A reading to be told.
struct Collected(Arc<Reading>);

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collected")
    }
}

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for metric in catalogue::all() {
            let samples = metric.samples(&self.0);
            if samples.is_empty() {
                continue;
            }
            let kind = match metric.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
            };
            // The library puts the ending of a counter behind its name.
            let name = match metric.kind {
                Kind::Counter => metric.name.trim_end_matches("_total"),
                Kind::Gauge => metric.name,
            };
            let mut family = encoder.encode_descriptor(name, metric.help, None, kind)?;
            if metric.labels.is_empty() {
                value(samples[0].value, family)?;
                continue;
            }
            for sample in samples {
                each(metric, &sample, &mut family)?;
            }
        }
        Ok(())
    }
}

fn each(metric: &Metric, sample: &Sample, family: &mut MetricEncoder) -> fmt::Result {
    let labels: Vec<(&str, &str)> = metric
        .labels
        .iter()
        .copied()
        .zip(sample.labels.iter().map(|it| &**it))
        .collect();
    value(sample.value, family.encode_family(&labels)?)
}

fn value(value: Value, encoder: MetricEncoder) -> fmt::Result {
    match value {
        Value::Count(count) => ConstCounter::new(count).encode(encoder),
        Value::Whole(number) => ConstGauge::new(number).encode(encoder),
        Value::Real(number) => ConstGauge::new(number).encode(encoder),
    }
}

/// A reading in the format of OpenMetrics 1.0.
pub fn open_metrics(reading: &Arc<Reading>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Collected(Arc::clone(reading))));
    let mut written = String::new();
    text::encode(&mut written, &registry)?;
    Ok(written)
}
