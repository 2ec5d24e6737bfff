//! A real Prometheus server scrapes the real endpoint, inside the gateway's namespace.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use isn_tests::{
    gateway::Isnguard,
    http,
    process::Process,
    topology::{Lab, LabOptions},
    wait,
};
use serde_json::Value;
use tempfile::TempDir;

use super::{PATIENCE, PORT, documents::project, get, start, traffic};

const SERVER_PORT: u16 = 9090;

/// A server of its own, ended when dropped, its files gone with it.
struct Server<'a> {
    lab: &'a Lab,
    process: Process,
    dir: TempDir,
}

impl<'a> Server<'a> {
    fn start(lab: &'a Lab) -> Result<Self> {
        let dir = TempDir::new()?;
        let config = dir.path().join("prometheus.yml");
        let rules = fs::canonicalize(project("packaging/prometheus/isnguard.rules.yml"))?;
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{}']\nscrape_configs:\n  \
             - job_name: isnguard\n    static_configs: [{{targets: ['127.0.0.1:{PORT}', '[::1]:{PORT}']}}]\n",
            rules.display()
        );
        fs::write(&config, text)?;
        let mut command = lab.gateway.command("prometheus")?;
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{SERVER_PORT}"))
            .arg("--log.level=warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.path().join("log"))?);
        let process = Process::spawn(command)?;
        let mut server = Self { lab, process, dir };
        wait::until(PATIENCE, "Prometheus to be ready", || {
            let ended = server.process.ended()?;
            ensure!(
                ended.is_none(),
                "Prometheus ended ({ended:?}): {}",
                server.log()
            );
            let ready = server.ask("/-/ready");
            Ok(ready.is_ok_and(|it| it.0 == 200).then_some(()))
        })?;
        Ok(server)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn ask(&self, path: &str) -> Result<(u16, String)> {
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, SERVER_PORT));
        let answer = http::ask(
            &self.lab.gateway,
            to,
            &format!("GET {path}"),
            &["Accept-Encoding: identity"],
        )?;
        let chunked = answer.header("transfer-encoding") == Some("chunked");
        let body = if chunked {
            whole(&answer.body)?
        } else {
            answer.body
        };
        Ok((answer.status, body))
    }

    fn api(&self, path: &str) -> Result<Value> {
        let (status, body) = self.ask(path)?;
        let answer: Value = serde_json::from_str(&body).with_context(|| body.clone())?;
        ensure!(
            status == 200 && answer["status"] == "success",
            "{path}: {answer}"
        );
        Ok(answer["data"].clone())
    }

    /// The result of a query: a number for each series.
    fn query(&self, query: &str) -> Result<Vec<f64>> {
        let data = self.api(&format!("/api/v1/query?query={}", encoded(query)))?;
        let series = data["result"].as_array().context("no result")?;
        let value = |it: &Value| it["value"][1].as_str().and_then(|it| it.parse().ok());
        series
            .iter()
            .map(|it| value(it).with_context(|| it.to_string()))
            .collect()
    }
}

/// The body of an answer in chunks (RFC 9112 section 7.1).
fn whole(mut chunked: &str) -> Result<String> {
    let mut body = String::new();
    loop {
        let (length, rest) = chunked.split_once("\r\n").context("half a chunk")?;
        let length = usize::from_str_radix(length.trim(), 16)?;
        if length == 0 {
            return Ok(body);
        }
        body.push_str(rest.get(..length).context("half a chunk")?);
        chunked = rest.get(length + 2..).context("half a chunk")?;
    }
}

fn encoded(query: &str) -> String {
    query.bytes().fold(String::new(), |mut text, octet| {
        // Writing to a string does not fail.
        let _ = write!(text, "%{octet:02X}");
        text
    })
}

#[test]
fn promtool_finds_nothing_to_complain_about() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let _run = start(&mut isnguard)?;
    traffic(&lab, 44_000)?;
    let scraped = get(&lab, "/metrics")?.body;
    let mut command = Command::new("promtool");
    command
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut promtool = Process::spawn(command)?;
    let mut input = promtool.child().stdin.take().context("no pipe")?;
    input.write_all(scraped.as_bytes())?;
    drop(input);
    let mut said = String::new();
    let (out, err) = (
        promtool.child().stdout.take(),
        promtool.child().stderr.take(),
    );
    std::io::Read::read_to_string(&mut out.context("no pipe")?, &mut said)?;
    std::io::Read::read_to_string(&mut err.context("no pipe")?, &mut said)?;
    ensure!(
        promtool.wait(PATIENCE)?.success() && said.trim().is_empty(),
        "{said}"
    );
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "few packets")]
#[test]
fn a_real_server_scrapes_what_stats_tells_and_evaluates_rules_and_panels() -> Result<()> {
    let lab = Lab::new(LabOptions::default())?;
    let mut isnguard = Isnguard::new(&lab.gateway)?;
    let run = start(&mut isnguard)?;
    let server = Server::start(&lab)?;
    traffic(&lab, 45_000)?;
    for (query, counter) in [
        ("isnguard_syn_seen_total", "syn_seen"),
        ("isnguard_syn_total{verdict=\"rewritten\"}", "syn_rewritten"),
        ("sum by (instance) (isnguard_packets_total)", "packets_seen"),
        (
            "isnguard_packets_total{direction=\"out\",verdict=\"translated\"}",
            "packets_translated_out",
        ),
        (
            "isnguard_passed_total{reason=\"offset_zero\"}",
            "pass_offset_zero",
        ),
    ] {
        wait::until(
            PATIENCE,
            &format!("the server to have {counter} at both addresses"),
            || {
                let wanted = isnguard.counter(counter)? as f64;
                let found = server.query(query)?;
                let agree = found.len() == 2 && found.iter().all(|it| (it - wanted).abs() < 0.5);
                Ok((agree && wanted > 1.5).then_some(()))
            },
        )?;
    }
    ensure!(server.query("up{job=\"isnguard\"} == 1")?.len() == 2);
    let rules = wait::until(PATIENCE, "the rules to be evaluated", || {
        let rules = server.api("/api/v1/rules")?.to_string();
        Ok((!rules.contains("\"health\":\"unknown\"")).then_some(rules))
    })?;
    ensure!(
        rules.contains("\"health\":\"ok\"") && !rules.contains("\"health\":\"err\""),
        "{rules}"
    );
    ensure!(server.query("ALERTS")?.is_empty(), "all is well");

    let dashboard: Value = serde_json::from_str(&fs::read_to_string(project(
        "packaging/grafana/isnguard.json",
    ))?)?;
    for panel in dashboard["panels"].as_array().context("no panels")? {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().context("no query")?;
            let query = query
                .replace("$instance", ".*")
                .replace("$__rate_interval", "1m");
            wait::until(PATIENCE, &format!("{query} to give something"), || {
                Ok((!server.query(&query)?.is_empty()).then_some(()))
            })?;
        }
    }
    run.ask_to_go()?;
    wait::until(PATIENCE, "the server to notice the end", || {
        Ok((server.query("up{job=\"isnguard\"} == 0")?.len() == 2).then_some(()))
    })
}
