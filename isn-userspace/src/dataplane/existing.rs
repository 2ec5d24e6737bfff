//! An instance that is there already: whether it can be adopted, and what becomes of its settings.

use isn_common::{
    abi::{
        ABI_VERSION,
        settings::{Limits, Settings},
    },
    siphash::Key,
    tick::Tick,
};

use super::{
    maps::{self, Maps},
    namespace,
    pins::{Pins, absent_is_fine},
    programs::Capacities,
};
use crate::{
    failure::{Explain as _, Failure},
    settings::{Mode, OnFull, PolicyTable, Protect, Request},
};

/// What an instance says about itself.
#[derive(Clone)]
pub struct Existing {
    /// Its settings.
    pub settings: Settings,
    /// Its guarded prefixes.
    pub policy: PolicyTable,
}

/// Reads an instance's maps, `None` if it has none. Leftovers of an attach that was killed before
/// anything was attached are removed; everything else that cannot be adopted is refused.
pub fn read(pins: &Pins, request: &Request) -> Result<Option<Existing>, Failure> {
    let present = maps::ALL
        .iter()
        .filter(|name| pins.map(name).exists())
        .count();
    if present == 0 {
        return Ok(None);
    }
    let version = maps::version(pins)?;
    if pins.pinned_links()?.is_empty() && (version.unwrap_or(0) == 0 || present < maps::ALL.len()) {
        remove_maps(pins)?;
        return Ok(None);
    }
    maps::check_version(version.unwrap_or(ABI_VERSION))?;
    let maps = Maps::open(pins)?;
    let settings = maps.settings()?;
    check_namespace(&settings)?;
    check_capacity(&maps, request)?;
    Ok(Some(Existing {
        settings,
        policy: maps.policy()?,
    }))
}

/// Removes the pins of all maps.
fn remove_maps(pins: &Pins) -> Result<(), Failure> {
    for name in maps::ALL {
        let path = pins.map(name);
        absent_is_fine(std::fs::remove_file(&path)).explain(
            format!("cannot remove {}", path.display()),
            "run it as root",
        )?;
    }
    Ok(())
}

/// Refuses an instance whose interfaces belong to another network namespace.
pub fn check_namespace(settings: &Settings) -> Result<(), Failure> {
    let here = namespace::current()?;
    if settings.network_namespace == here {
        return Ok(());
    }
    Err(Failure::new(
        "cannot use this instance here",
        format!(
            "its interfaces belong to network namespace {}, this process is in {here}",
            settings.network_namespace
        ),
        "enter that namespace (nsenter --net=...; `lsns -t net` lists them), or use another \
         --instance",
    ))
}

fn check_capacity(maps: &Maps, request: &Request) -> Result<(), Failure> {
    let wanted = [
        (
            "--max-flows",
            request.max_flows,
            maps.translated_v4.capacity(),
        ),
        (
            "--max-half-open",
            request.max_half_open,
            maps.half_open_v4.capacity(),
        ),
        (
            "--max-history",
            request.max_history,
            maps.history_v4.capacity(),
        ),
    ];
    for (option, wanted, there) in wanted {
        if wanted.is_some_and(|wanted| wanted != there) {
            return Err(Failure::new(
                format!("cannot change {option}"),
                format!("the table is there and holds {there} flows"),
                format!(
                    "leave {option} away to keep it, or detach first (isnguard detach --drain) and \
                     attach anew"
                ),
            ));
        }
    }
    Ok(())
}

/// The guarded prefixes that are asked for: those named; else those there, in another mode if one
/// is named; else everything.
pub fn wanted_policy(
    before: Option<&PolicyTable>,
    request: &Request,
) -> Result<PolicyTable, Failure> {
    let mode = request.mode.unwrap_or(Mode::Monotonic);
    match before {
        _ if !request.protect.is_empty() => {
            let named = PolicyTable::build(&request.protect, mode)?;
            named.check_guards().map(|()| named)
        }
        None => PolicyTable::build(&Protect::everything(), mode),
        Some(before) => Ok(request
            .mode
            .map_or_else(|| before.clone(), |mode| before.in_mode(mode))),
    }
}

/// The settings that are asked for; the secret lives as long as the instance.
pub fn wanted_settings(
    before: Option<Settings>,
    request: &Request,
    namespace: u64,
    secret: impl FnOnce() -> Result<Key, Failure>,
) -> Result<Settings, Failure> {
    let mut settings = if let Some(before) = before {
        before
    } else {
        let history = Tick::in_seconds(Settings::DEFAULT_HISTORY_SECONDS);
        let mut settings = Settings::new(history, OnFull::Pass, namespace, secret()?);
        settings.limits = Capacities::wanted(request).limits(settings.limits);
        settings.limits.sample_share = Limits::DEFAULT_SAMPLE_SHARE;
        settings
    };
    let mut limits = settings.limits;
    if let Some(seconds) = request.idle {
        limits.idle = Tick::in_seconds(seconds);
    }
    if let Some(seconds) = request.closing {
        limits.closing = Tick::in_seconds(seconds);
    }
    if let Some(samples) = request.samples {
        limits.sample_share = samples;
    }
    if let Some(seconds) = request.history {
        settings.history = Tick::in_seconds(seconds);
    }
    let on_full = request.on_full.unwrap_or(settings.on_full());
    let keyed = settings.keyed;
    settings = Settings::new(
        settings.history,
        on_full,
        settings.network_namespace,
        settings.secret,
    );
    settings.limits = limits;
    settings.keyed = keyed;
    Ok(settings)
}

/// A secret that nobody knows.
pub fn draw_secret() -> Result<Key, Failure> {
    let draw =
        || getrandom::u64().explain("cannot draw a secret", "see whether getrandom(2) works");
    Ok(Key([draw()?, draw()?]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dataplane::target::tests::request, settings::common_mode};

    fn settings(before: Option<Settings>, change: impl FnOnce(&mut Request)) -> Settings {
        let mut request = request(&[]);
        change(&mut request);
        wanted_settings(before, &request, 77, || Ok(Key([1, 2]))).unwrap()
    }

    #[test]
    fn a_new_instance_gets_the_defaults_and_a_secret() {
        let new = settings(None, |_| {});
        assert_eq!(new.abi_version, ABI_VERSION);
        assert_eq!(new.history, Tick::in_seconds(240));
        assert_eq!(new.on_full(), OnFull::Pass);
        assert_eq!(new.limits.sample_share, 32);
        assert_eq!(new.network_namespace, 77);
        assert!(new.secret == Key([1, 2]) && !new.draining());
    }

    #[test]
    fn an_adopted_one_keeps_what_is_not_said_and_stops_draining() {
        let mut before = settings(None, |request| {
            request.history = Some(60);
            request.on_full = Some(OnFull::Drop);
        });
        before.draining = 1;
        before.secret = Key([3, 4]);
        let kept = settings(Some(before), |_| {});
        assert_eq!(
            (kept.history, kept.on_full()),
            (Tick::in_seconds(60), OnFull::Drop)
        );
        assert!(kept.secret == Key([3, 4]) && !kept.draining());
        let silent = settings(Some(before), |request| request.samples = Some(0));
        assert_eq!(silent.limits.sample_share, 0);
        assert_eq!(settings(Some(silent), |_| {}).limits.sample_share, 0);
        let changed = settings(Some(before), |request| request.history = Some(30));
        assert_eq!(
            (changed.history, changed.on_full()),
            (Tick::in_seconds(30), OnFull::Drop)
        );
    }

    #[test]
    fn prefixes_are_replaced_kept_or_everything() {
        let mut asked = request(&[]);
        let everything = wanted_policy(None, &asked).unwrap();
        assert_eq!(
            everything
                .rules()
                .map(|rule| rule.prefix.to_string())
                .collect::<Vec<_>>(),
            ["0.0.0.0/0", "::/0"]
        );
        assert_eq!(common_mode(&everything), "monotonic");

        asked.mode = Some(Mode::Observe);
        let observed = wanted_policy(Some(&everything), &asked).unwrap();
        assert_eq!(common_mode(&observed), "observe");
        asked.mode = None;
        assert_eq!(wanted_policy(Some(&observed), &asked).unwrap(), observed);

        asked.protect = vec!["10.0.0.0/8".parse().unwrap()];
        let named = wanted_policy(Some(&observed), &asked).unwrap();
        assert_eq!(named.rules().count(), 1);
        assert_eq!(common_mode(&named), "monotonic");
    }

    #[test]
    fn two_secrets_differ() {
        assert!(draw_secret().unwrap() != draw_secret().unwrap());
    }
}
