//! What the demo says while it runs, each line with the time since it began.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// Tells people what is going on.
#[derive(Debug)]
pub struct Narrator {
    began: Instant,
}

impl Narrator {
    /// Starts the clock.
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
        }
    }

    /// What this is about.
    #[expect(clippy::unused_self, reason = "one voice")]
    pub fn introduce(&self) {
        println!(
            "\
A TCP connection must begin above everything that the previous one between the same two ports sent. Some hosts
that nobody can patch begin below it. While the peer still remembers the old connection (TIME-WAIT), it takes the
new SYN for an old one, answers with a bare ACK, and the host waits for a minute. isnguard, on the gateway between
them, moves such a beginning to where the peer accepts it.

    host                     gateway                       peer
    192.0.2.2  ──────────  [ isnguard ]  ──────────  198.51.100.2        three network namespaces, real Linux TCP
"
        );
    }

    /// A new chapter.
    pub fn chapter(&self, title: &str) {
        println!("\n{} {title}", self.clock());
    }

    /// A line within it.
    pub fn detail(&self, line: &str) {
        println!("{}   {line}", self.clock());
    }

    /// How long a wait has lasted, on a line that is written over; nothing where there is no terminal.
    pub fn waiting(&self, what: &str, lasted: Duration) {
        if io::stdout().is_terminal() {
            print!("\r{}   {what} {:.1} s ", self.clock(), lasted.as_secs_f64());
            // Only an ornament: a failure to show it changes nothing.
            let _ = io::stdout().flush();
        }
    }

    /// The wait is over; its line is wiped.
    #[expect(clippy::unused_self, reason = "one voice")]
    pub fn waited(&self) {
        if io::stdout().is_terminal() {
            print!("\r\x1b[K");
        }
    }

    /// What a program printed, set off.
    pub fn quote(&self, command: &str, printed: &str) {
        self.detail(&format!("$ {command}"));
        for line in printed.lines() {
            println!("            {line}");
        }
    }

    /// What was seen.
    #[expect(clippy::unused_self, reason = "one voice")]
    pub fn conclude(&self, with_tc: bool) {
        println!(
            "The connection that hung without isnguard came about at once with it, and carried its data intact."
        );
        println!("The connection that needed nothing was not changed in a single bit.");
        if with_tc {
            println!(
                "With the TC hook the end hosts left unfinished checksums and large segments to the kernel; with XDP they"
            );
            println!("sent complete frames, as a real wire carries them.");
        }
    }

    fn clock(&self) -> String {
        format!("{:6.1} s", self.began.elapsed().as_secs_f64())
    }
}

/// A duration as people read it.
pub fn readable(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.1} s")
    }
}

/// A number with its thousands set apart.
pub fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(
            ["0", "999", "1,000", "4,294,967,295"],
            [0, 999, 1000, u32::MAX].map(grouped)[..]
        );
    }

    #[test]
    fn durations_change_their_unit_at_a_second() {
        assert_eq!(readable(Duration::from_micros(1250)), "1.2 ms");
        assert_eq!(readable(Duration::from_millis(5004)), "5.0 s");
    }
}
