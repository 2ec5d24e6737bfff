//! Episodes read from text, as `text` writes it.

use anyhow::{Context as _, Result, bail, ensure};
use isn_common::{
    abi::policy::{Policy, Rule},
    flow::Direction,
};

use super::{
    episode::{Episode, Guarded, Instance, Loss, Packet, Step},
    relocation::{Mark, Relocation},
    text::{EXEMPT, MODES, SPACES},
};

impl Episode {
    /// Reads what was written.
    pub fn parse(text: &str) -> Result<Self> {
        let mut episode = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                episode
                    .read(line)
                    .with_context(|| format!("line {}: {line:.60}", number + 1))?;
            }
        }
        Ok(episode)
    }

    fn read(&mut self, line: &str) -> Result<()> {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default();
        let step = match verb {
            "tick" => {
                self.tick = Some(words.next().context("which tick?")?.parse()?);
                return Ok(());
            }
            "settings" => Step::Settings(settings(words)?),
            "policy" => policy(words)?,
            "lose" => Step::Lose(loss(words.next().unwrap_or_default())?),
            "wait" => Step::Wait(words.next().context("how many seconds?")?.parse()?),
            "out" => Step::Packet(packet(Direction::Outbound, words)?),
            "in" => Step::Packet(packet(Direction::Inbound, words)?),
            _ => bail!("`{verb}` is no step: tick, settings, policy, lose, wait, out or in"),
        };
        self.steps.push(step);
        Ok(())
    }
}

fn settings<'a>(words: impl Iterator<Item = &'a str>) -> Result<Instance> {
    let mut instance = Instance::default();
    for word in words {
        match word.split_once('=') {
            Some(("history", seconds)) => instance.history = seconds.parse()?,
            Some(("full", what)) => instance.drop_when_full = what == "drop",
            Some(("draining", what)) => instance.draining = what == "yes",
            Some(("generation", number)) => instance.generation = number.parse()?,
            Some(("adopting", seconds)) => instance.adopting = seconds.parse()?,
            Some(("before", what)) => instance.after_key = what == "key",
            _ => bail!("`{word}` is no setting"),
        }
    }
    Ok(instance)
}

fn loss(name: &str) -> Result<Loss> {
    let found = Loss::ALL.into_iter().find(|it| it.name() == name);
    found.with_context(|| format!("`{name}` is no loss"))
}

fn policy<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Step> {
    let name = words.next().context("of which prefix?")?;
    let guarded = Guarded::ALL.into_iter().find(|it| it.name() == name);
    let guarded = guarded.with_context(|| format!("`{name}` is no prefix"))?;
    let rules: Vec<Rule> = words.map(rule).collect::<Result<_>>()?;
    ensure!(rules.len() <= Policy::MOST_RULES, "too many rules");
    Ok(Step::Policy(guarded, rules))
}

fn rule(word: &str) -> Result<Rule> {
    let rule = word.split_once('=').and_then(|(ports, mode)| {
        let (first, last) = ports.split_once('-')?;
        if mode == EXEMPT {
            return Some(Rule::exempt(first.parse().ok()?, last.parse().ok()?));
        }
        let mode = MODES.iter().find(|(name, _)| *name == mode)?.1;
        Some(Rule::new(first.parse().ok()?, last.parse().ok()?, mode))
    });
    rule.with_context(|| format!("`{word}` is no rule like 0-1023=observe"))
}

fn packet<'a>(direction: Direction, mut words: impl Iterator<Item = &'a str>) -> Result<Packet> {
    let octets = octets(words.next().context("which octets?")?)?;
    let mut packet = Packet::new(direction, octets);
    for word in words {
        if let Some(tci) = word.strip_prefix("vlan=0x") {
            packet.stripped = Some(u16::from_str_radix(tci, 16)?);
        } else if let Some(mark) = word.strip_prefix("mark=") {
            packet.mark = Some(read_mark(mark).with_context(|| format!("`{word}` is no mark"))?);
        } else {
            let read = relocation(word);
            let read = read.with_context(|| format!("`{word}` is no relocation like W1@42:50"))?;
            packet.relocations.push(read);
        }
    }
    Ok(packet)
}

fn read_mark(text: &str) -> Option<Mark> {
    let (label, places) = text.split_once('@')?;
    let (sequence_at, time_at) = match places.split_once(',') {
        Some((sequence, time)) => (sequence, Some(time.parse().ok()?)),
        None => (places, None),
    };
    Some(Mark {
        label: label.parse().ok()?,
        sequence_at: sequence_at.parse().ok()?,
        time_at,
    })
}

fn relocation(text: &str) -> Option<Relocation> {
    let (label, places) = text.split_once('@')?;
    let (name, label) = label.split_at_checked(1)?;
    let (_, space) = *SPACES.iter().find(|(it, _)| *it == name)?;
    let mut places = places.split(':').map(str::parse);
    let at = places.next()?.ok()?;
    let mut sums = [0; 2];
    for sum in &mut sums {
        *sum = places.next().transpose().ok()?.unwrap_or(0);
    }
    Some(Relocation {
        space,
        label: label.parse().ok()?,
        at,
        sums,
    })
}

fn octets(text: &str) -> Result<Vec<u8>> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((pair, behind)) = rest.split_at_checked(2) {
        let octet =
            u8::from_str_radix(pair, 16).with_context(|| format!("`{pair}` is no octet"))?;
        let (count, behind) = match behind.strip_prefix('*') {
            Some(counted) => {
                let (count, behind) = counted.split_once('.').context("a count ends with a dot")?;
                (count.parse()?, behind)
            }
            None => (1, behind),
        };
        ensure!(
            octets.len() + count < 1 << 16,
            "a frame is shorter than that"
        );
        octets.resize(octets.len() + count, octet);
        rest = behind;
    }
    ensure!(rest.is_empty(), "half an octet is left");
    Ok(octets)
}
