//! Rules in a file, one a line; what is behind `#` is a comment.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

use crate::{
    config::{Fault, Faults},
    failure::{Explain as _, Failure},
    report::counted,
    settings::Protect,
};

/// More than all rules that there is room for take.
const LONGEST: u64 = 4 << 20;

/// Reads the rules; `None` if something is wrong with them, which is printed then.
pub fn read(path: &Path) -> Result<Option<Vec<Protect>>, Failure> {
    let what = || format!("cannot read rules from {}", path.display());
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().take(LONGEST).read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text))
    };
    read.explain(what(), "name a file of text, or `-` for standard input")?;
    match parsed(path, &text) {
        Ok(rules) if rules.is_empty() => Err(Failure::new(
            what(),
            "there is no rule in it",
            "write one a line, such as 192.0.2.0/24,port=80,mode=observe",
        )),
        Ok(rules) => Ok(Some(rules)),
        Err(faults) => {
            eprintln!("{faults}");
            let count = counted(faults.errors.len(), "error");
            eprintln!(
                "isnguard: nothing was changed: {count} in {}",
                path.display()
            );
            Ok(None)
        }
    }
}

fn parsed(path: &Path, text: &str) -> Result<Vec<Protect>, Faults> {
    let (mut rules, mut faults) = (Vec::<(usize, Protect)>::new(), Vec::new());
    let mut begins = 0;
    for (nth, line) in text.split('\n').enumerate() {
        let said = line.split('#').next().unwrap_or_default();
        let rule = said.trim();
        let at = begins + (said.len() - said.trim_start().len());
        begins += line.len() + 1;
        if rule.is_empty() {
            continue;
        }
        let span = at..at + rule.len();
        match rule.parse::<Protect>() {
            Err(error) => faults.push(Fault::new(
                span,
                error,
                "write a rule like 192.0.2.0/24,port=80,mode=observe",
            )),
            Ok(rule) => {
                let same =
                    |it: &&(usize, Protect)| (it.1.prefix, it.1.ports) == (rule.prefix, rule.ports);
                match rules.iter().find(same) {
                    Some((first, _)) => faults.push(Fault::new(
                        span,
                        format!("a rule for the same prefix and ports is in line {first}"),
                        "leave one of them away",
                    )),
                    None => rules.push((nth + 1, rule)),
                }
            }
        }
    }
    if faults.is_empty() {
        Ok(rules.into_iter().map(|(_, rule)| rule).collect())
    } else {
        Err(Faults::new(path.to_owned(), text, faults))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_rule_a_line_with_comments() {
        let text = "# plant\n10.0.0.0/8   # all\r\n\n  192.0.2.0/24,port=80,mode=off\n";
        let rules = parsed(Path::new("-"), text).unwrap();
        let shown: Vec<String> = rules.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["10.0.0.0/8", "192.0.2.0/24,port=80,mode=off"]);
    }

    #[test]
    fn every_line_that_is_wrong_is_told_with_its_number() {
        let text = "10.0.0.0/8\n  10.0.0.1/8\n10.0.0.0/8,mode=off\n::/0,port=0\n";
        let faults = parsed(Path::new("rules"), text).unwrap_err().to_string();
        for expected in [
            "rules:2:3: `10.0.0.1/8` has bits behind its prefix length",
            "rules:3:1: a rule for the same prefix and ports is in line 1",
            "rules:4:1: `port=0`",
        ] {
            assert!(faults.contains(expected), "{faults}");
        }
    }
}
