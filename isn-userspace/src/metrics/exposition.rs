//! The two text formats, and which of them somebody asks for (RFC 9110 section 12.5.1).
//!
//! The library writes `OpenMetrics`. Prometheus' older format differs in little: the name of a counter's family has its `_total`, there are
//! no units and no end mark. What is written here has no types but counters and gauges, of which it is true without exception.

/// Formats of a scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// Prometheus' text format 0.0.4.
    Text,
}

const OPEN_METRICS: &str = "application/openmetrics-text";

impl Format {
    /// The one that a request accepts; what names neither gets the older one, which people and scripts read too.
    #[must_use]
    pub fn accepted<'a>(accept: impl Iterator<Item = &'a str>) -> Self {
        let mut best = (0.0, Self::Text);
        for range in accept.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or("");
            let format = if kind.eq_ignore_ascii_case(OPEN_METRICS) {
                Self::OpenMetrics
            } else if ["text/plain", "text/*", "*/*"].contains(&&*kind.to_ascii_lowercase()) {
                Self::Text
            } else {
                continue;
            };
            let quality = parts
                .filter_map(|it| it.strip_prefix("q="))
                .find_map(|it| it.parse::<f32>().ok());
            // The first of equals.
            let quality = quality.unwrap_or(1.0);
            if quality > best.0 {
                best = (quality, format);
            }
        }
        best.1
    }

    /// Its media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// What the library wrote, in this format.
    #[must_use]
    pub fn of(self, open_metrics: String) -> String {
        match self {
            Self::OpenMetrics => open_metrics,
            Self::Text => older(&open_metrics),
        }
    }
}

fn older(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len() + 1024);
    let mut lines = open_metrics.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let is_counter = lines.peek().is_some_and(|next| next.ends_with(" counter"));
            about(&mut text, "# HELP ", rest, is_counter);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            about(&mut text, "# TYPE ", rest, rest.ends_with(" counter"));
        } else if !line.starts_with('#') {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

fn about(text: &mut String, what: &str, rest: &str, is_counter: bool) {
    let (name, more) = rest.split_once(' ').unwrap_or((rest, ""));
    let ending = if is_counter { "_total" } else { "" };
    text.extend([what, name, ending, " ", more, "\n"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &[&str]) -> Format {
        Format::accepted(accept.iter().copied())
    }

    #[test]
    fn prometheus_gets_what_it_likes_best_and_people_get_text() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(accepted(&[prometheus]), Format::OpenMetrics);
        for text in ["text/plain", "*/*", "text/html, */*;q=0.8", "image/png", ""] {
            assert_eq!(accepted(&[text]), Format::Text, "{text}");
        }
        assert_eq!(accepted(&[]), Format::Text);
        let less = "application/openmetrics-text; q=0.3, text/plain; q=0.5";
        assert_eq!(accepted(&[less]), Format::Text);
        assert_eq!(
            accepted(&["application/openmetrics-text;q=0"]),
            Format::Text
        );
        assert_eq!(
            accepted(&["text/plain;q=0.5", "Application/OpenMetrics-Text"]),
            Format::OpenMetrics
        );
        assert_eq!(
            accepted(&["application/openmetrics-text;q=many;q="]),
            Format::OpenMetrics
        );
    }

    #[test]
    fn the_older_format_names_counters_whole_and_has_no_end_mark() {
        let open = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{x=\"# y\"} 1\n\
                    # HELP c Other things.\n# TYPE c gauge\nc 2.5\n# EOF\n";
        let text = "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total{x=\"# y\"} 1\n\
                    # HELP c Other things.\n# TYPE c gauge\nc 2.5\n";
        assert_eq!(Format::Text.of(open.into()), text);
        assert_eq!(Format::OpenMetrics.of(open.into()), open);
    }
}
