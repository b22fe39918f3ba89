//! Checks of the model server outside the stack.

use super::super::file::{Key, Model};
use super::super::model::{KeySource, Upstream};
use super::super::place::{At, Place};
use super::{Problems, value};
use http::Uri;
use http::uri::Scheme;
use std::path::Path;

pub(super) fn check(given: &Model, directory: &Path, problems: &mut Problems) -> Option<Upstream> {
    let Some(url) = &given.upstream else {
        nothing_to_ask(given, problems);
        return None;
    };
    let scheme = check_url(url, problems);
    let plain = scheme == Some(Scheme::HTTP);
    if let Some(authorities) = given.authorities.as_ref().filter(|_| plain) {
        let what = "authorities vouch for a server with HTTPS, and `upstream` is one without";
        problems.add(
            authorities.place(),
            what,
            "remove them, or write `https` in `upstream`",
        );
    }
    let name = given.name.as_ref();
    let authorities = given.authorities.as_ref();
    let key = given.key.as_ref();
    Some(Upstream {
        url: url.value().clone(),
        model: name.map(|name| value::text(name, "the name of the model", problems)),
        key: key.and_then(|key| key_source(key, directory, problems)),
        authorities: authorities.map(|path| value::path(path, directory, problems)),
    })
}

/// The reference planner has a name of its own and wants no key, so both need a server that they belong to.
fn nothing_to_ask(given: &Model, problems: &mut Problems) {
    let name = given.name.as_ref().map(|name| {
        let what = format!("no server is given that has the model `{}`", name.value());
        (name.place(), what)
    });
    let key = given.key.as_ref().map(At::place);
    let key = key.map(|place| (place, "no server is given that wants the key".to_owned()));
    let authorities = given.authorities.as_ref().map(At::place);
    let authorities = authorities.map(|place| {
        (
            place,
            "no server is given that the authorities vouch for".to_owned(),
        )
    });
    for (place, what) in [name, key, authorities].into_iter().flatten() {
        problems.add(place, what, "write its URL as `upstream`");
    }
}

/// Only what a part of the stack can be told in an argument that everyone may read.
fn check_url(url: &At<String>, problems: &mut Problems) -> Option<Scheme> {
    let text = url.value();
    let web = [Scheme::HTTP, Scheme::HTTPS];
    let parsed = text.parse::<Uri>().ok();
    let parsed = parsed.filter(|uri| uri.scheme().is_some_and(|scheme| web.contains(scheme)));
    let Some(uri) = parsed else {
        let what = format!("`{text}` is not the URL of a model server");
        problems.add(url.place(), what, "write for example `http://models.example:8000/v1`, or `null` for the reference planner");
        return None;
    };
    let signed_in = uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'));
    if signed_in || uri.query().is_some() {
        secret_in_url(url.place(), problems);
    }
    uri.scheme().cloned()
}

/// The URL itself is not repeated.
fn secret_in_url(place: Place, problems: &mut Problems) {
    let what = "the URL of the model server holds a user or a query, which everyone who may read the pods would see";
    problems.add(
        place,
        what,
        "write the URL without them, and say under `key` where the key is",
    );
}

fn key_source(given: &At<Key>, directory: &Path, problems: &mut Problems) -> Option<KeySource> {
    match (&given.value().env, &given.value().file) {
        (Some(name), None) => {
            let name = value::text(name, "the name of the environment variable", problems);
            Some(KeySource::Environment(name))
        }
        (None, Some(path)) => Some(KeySource::File(value::path(path, directory, problems))),
        (None, None) => {
            problems.add(given.place(), "the key is nowhere", "add `env` or `file`");
            None
        }
        (Some(_), Some(_)) => {
            problems.add(
                given.place(),
                "the key is in two places",
                "keep either `env` or `file`",
            );
            None
        }
    }
}
