//! Keys and the lines that they stand in: what is accepted, what is refused and why, and that nothing of a key is in what is said.

mod files;

use std::{
    fmt::{Debug, Display},
    marker::PhantomData,
};

use isn_common::siphash::Key;

use super::*;

const DIGITS: &str = "000102030405060708090a0b0c0d0e0f";
const BOOT: &str = "0123abcd-0123-4567-89ab-0123456789ab";

fn stored(generation: u32) -> Stored {
    Stored::parse(format!("{DIGITS} {generation}\n").as_bytes())
        .unwrap_or_else(|why| panic!("{why}"))
}

fn drawn() -> Stored {
    Stored {
        secret: Secret::draw().unwrap_or_else(|failure| panic!("{failure}")),
        generation: 5,
        used_in: None,
    }
}

/// Whether a type can be printed, by which of two methods the compiler finds.
struct Printed<T>(PhantomData<T>);

impl<T: Debug> Printed<T> {
    fn debug(&self) -> bool {
        let Self(_) = self;
        true
    }
}

trait NotPrinted {
    fn debug(&self) -> bool {
        false
    }
    fn display(&self) -> bool {
        false
    }
}

impl<T> NotPrinted for Printed<T> {}

#[test]
fn a_key_cannot_be_printed() {
    struct Displayed<T>(PhantomData<T>);
    impl<T: Display> Displayed<T> {
        fn display(&self) -> bool {
            let Self(_) = self;
            true
        }
    }
    impl<T> NotPrinted for Displayed<T> {}
    // The probe itself can tell.
    assert!(Printed::<u32>(PhantomData).debug() && Displayed::<u32>(PhantomData).display());
    assert!(!Printed::<Secret>(PhantomData).debug() && !Displayed::<Secret>(PhantomData).display());
    assert!(!Printed::<Stored>(PhantomData).debug() && !Displayed::<Stored>(PhantomData).display());
    assert!(!Printed::<Key>(PhantomData).debug());
}

#[test]
fn a_line_is_understood_with_and_without_what_follows_the_key() {
    for (line, generation, used) in [
        (DIGITS.to_owned(), 0, false),
        (format!("{DIGITS}\n"), 0, false),
        (format!("{} 7\n", DIGITS.to_uppercase()), 7, false),
        (format!("{DIGITS} 4294967295 {BOOT}\n"), u32::MAX, true),
    ] {
        let Ok(stored) = Stored::parse(line.as_bytes()) else {
            panic!("{line} was refused")
        };
        // The order of the octets is that of SipHash's reference.
        assert!(stored.secret.key() == Key([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]));
        assert_eq!(
            (stored.generation, stored.used_in.is_some()),
            (generation, used)
        );
        let again = Stored::parse(stored.line().as_bytes()).map(|it| it.line().to_string());
        assert_eq!(again.ok(), Some(stored.line().to_string()));
        assert!(stored.line().len() <= Stored::LONGEST);
    }
}

#[test]
fn a_line_that_is_no_key_is_refused_and_not_repeated() {
    let zero = "0".repeat(32);
    let cases = [
        (String::new(), "empty"),
        ("\n".into(), "empty"),
        (DIGITS[..31].into(), "31 characters"),
        (format!("{DIGITS}0"), "33 characters"),
        (
            format!("{}x", &DIGITS[..31]),
            "something else than hexadecimal",
        ),
        (
            format!("0x{}", &DIGITS[..30]),
            "something else than hexadecimal",
        ),
        (zero.clone(), "zero"),
        (format!("{zero} 3\n"), "zero"),
        (format!("{DIGITS} -1"), "no number of a generation"),
        (format!("{DIGITS} 4294967296"), "no number of a generation"),
        (format!("{DIGITS}  1"), "no number of a generation"),
        (
            format!("{DIGITS} 1 {}", &BOOT[1..]),
            "no identifier of a boot",
        ),
        (format!("{DIGITS} 1 {BOOT} "), "more behind the key"),
        (format!("{DIGITS}\n{DIGITS}\n"), "more than one line"),
        (format!("{DIGITS}\n\n"), "more than one line"),
    ];
    for (line, expected) in cases {
        let why = Stored::parse(line.as_bytes()).err().expect(&line);
        assert!(why.contains(expected), "{line:?}: {why}");
        assert!(!why.contains(&DIGITS[..8]), "{why}");
    }
    assert!(
        Stored::parse(&[0xff; 32])
            .err()
            .unwrap()
            .contains("no text")
    );
}

#[test]
fn keys_differ_and_so_do_their_fingerprints() {
    let (one, other) = (drawn().secret, drawn().secret);
    assert!(one.key() != other.key());
    assert_ne!(one.fingerprint(), other.fingerprint());
    assert_eq!(Fingerprint::of(one.key()), Some(one.fingerprint()));
    assert_eq!(Fingerprint::of(Key([0; 2])), None);
    // Fixed for all time: operators compare what two gateways say.
    assert_eq!(
        stored(0).secret.fingerprint().to_string(),
        "4405b9e440b832fd"
    );
}

#[test]
fn a_generator_that_does_not_serve_is_fatal() {
    let failure = Secret::drawn_by(|_| Err("Function not implemented".into()))
        .err()
        .unwrap();
    assert!(
        failure.to_string().contains("Function not implemented"),
        "{failure}"
    );
    assert!(failure.remedy().contains("getrandom(2)"));
    let failure = Secret::drawn_by(|_| Ok(())).err().unwrap();
    assert!(failure.to_string().contains("zeros"), "{failure}");
}
