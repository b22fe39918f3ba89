//! A small HTTP service with the prices of spare parts and the measured values of machines: what two of the tools call.

mod measurements;

pub use measurements::{Measurements, Reading};

use crate::server::{self, Server, ServerError};
use crate::shutdown;
use crate::telemetry::{Telemetry, TelemetryConfig, TelemetryError};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use clap::Args;
use portproof_proto::names::{HTTP_PORT, Part};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io;

/// Flags of `agent-stack catalog`.
#[derive(Args, Clone, Debug)]
pub struct CatalogArgs {
    /// Port to listen on.
    #[arg(long, default_value_t = HTTP_PORT)]
    pub port: u16,
    /// Serve other prices and values: a deviation that a check must notice.
    #[arg(long)]
    pub changed: bool,
}

/// Why the catalog stopped.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// No signal handler.
    #[error("signals cannot be handled")]
    Signal(#[source] io::Error),
    /// Metrics cannot be exported.
    #[error("telemetry cannot be set up")]
    Telemetry(#[source] TelemetryError),
    /// The server failed.
    #[error("the catalog cannot be served")]
    Server(#[source] ServerError),
}

/// One item with its price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Number of the item.
    pub sku: String,
    /// What it is.
    pub name: String,
    /// Price of one unit.
    pub unit_price: f64,
    /// ISO 4217 code of the price.
    pub currency: String,
}

/// The answer about what is not there.
type Absent = (StatusCode, Json<Value>);

const ITEMS: [(&str, &str, f64); 14] = [
    ("SKU-7311", "Mechanical shaft seal 35 mm, EPDM", 42.5),
    ("SKU-7312", "Mechanical shaft seal 50 mm, FKM", 68.9),
    ("SKU-2048", "Deep groove ball bearing 6208", 17.35),
    ("SKU-2050", "Cylindrical roller bearing NU 310", 54.6),
    ("SKU-5120", "Impeller 165 mm, cast iron", 118.0),
    ("SKU-9004", "Coupling spider, size 24", 9.8),
    ("SKU-3307", "Float switch with 10 m cable", 33.25),
    ("SKU-3310", "Strainer basket", 21.4),
    ("SKU-4410", "V-belt SPA 1250", 12.15),
    ("SKU-6101", "Lithium grease EP 2, 400 g", 8.75),
    ("SKU-6120", "Gear oil ISO VG 220, 5 l", 39.0),
    ("SKU-6125", "Breather G 1/2", 14.2),
    ("SKU-8115", "Air filter", 27.9),
    ("SKU-8831", "Relief valve 16 bar", 203.0),
];

/// Serves the catalog until a signal ends it.
///
/// # Errors
/// When the port is taken or no signal handler can be installed.
pub async fn run(args: CatalogArgs) -> Result<(), CatalogError> {
    let shutdown = shutdown::on_signal().map_err(CatalogError::Signal)?;
    let telemetry = Telemetry::start(TelemetryConfig::from_env(Part::Catalog.name()))
        .map_err(CatalogError::Telemetry)?;
    let served = Server::new(router(args.changed))
        .observed_by(&telemetry)
        .serve(args.port, shutdown)
        .await
        .map_err(CatalogError::Server);
    telemetry.shutdown().await;
    served
}

/// The catalog's routes; `changed` serves other prices and values.
pub fn router(changed: bool) -> Router {
    let router = Router::new()
        .route("/v1/items/{sku}", get(item))
        .route("/v1/machines/{machine}/measurements", get(measurements))
        .with_state(changed);
    server::with_refusals(server::with_health(router, server::always_ready()))
}

async fn item(State(changed): State<bool>, Path(sku): Path<String>) -> Result<Json<Item>, Absent> {
    let found = ITEMS.iter().find(|(number, _, _)| *number == sku);
    let (sku, name, price) = found.ok_or_else(|| absent("item", &sku))?;
    let unit_price = if changed { price + 1.0 } else { *price };
    Ok(Json(Item {
        sku: (*sku).into(),
        name: (*name).into(),
        unit_price,
        currency: "EUR".into(),
    }))
}

async fn measurements(
    State(changed): State<bool>,
    Path(machine): Path<String>,
) -> Result<Json<Measurements>, Absent> {
    let found = Measurements::of(&machine, changed);
    found.map(Json).ok_or_else(|| absent("machine", &machine))
}

fn absent(what: &str, name: &str) -> Absent {
    let error = format!("no {what} `{name}`");
    (StatusCode::NOT_FOUND, Json(json!({ "error": error })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    async fn ask(changed: bool, sku: &str) -> (StatusCode, Value) {
        get(changed, &format!("/v1/items/{sku}")).await
    }

    async fn get(changed: bool, path: &str) -> (StatusCode, Value) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router(changed).oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn an_item_has_a_price() {
        let expected = json!({"sku": "SKU-2048", "name": "Deep groove ball bearing 6208", "unitPrice": 17.35, "currency": "EUR"});
        assert_eq!(ask(false, "SKU-2048").await, (StatusCode::OK, expected));
    }

    #[tokio::test]
    async fn an_unknown_item_is_not_found() {
        assert_eq!(ask(false, "SKU-0").await.0, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn other_addresses_and_methods_are_refused_with_the_reason() {
        let request = Request::delete("/v1/items/SKU-2048");
        let answer = router(false).oneshot(request.body(Body::empty()).unwrap());
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers()["allow"], "GET,HEAD");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let told: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(told["error"], "/v1/items/SKU-2048 does not take DELETE");
        let (status, told) = get(false, "/v2").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(told["error"], "there is no GET /v2");
    }

    #[tokio::test]
    async fn the_changed_catalog_serves_another_price_for_every_item() {
        for (sku, _, _) in ITEMS {
            assert_ne!(
                ask(false, sku).await.1["unitPrice"],
                ask(true, sku).await.1["unitPrice"]
            );
        }
    }

    #[tokio::test]
    async fn a_machine_has_readings_of_each_quantity_and_an_unknown_one_is_not_found() {
        let (status, found) = get(false, "/v1/machines/P-100/measurements").await;
        assert_eq!(
            (status, &found["machine"]),
            (StatusCode::OK, &json!("P-100"))
        );
        let expected = json!({"day": "2026-03-04", "time": "12:00", "quantity": "vibration", "value": 9.7, "unit": "mm/s"});
        assert!(found["readings"].as_array().unwrap().contains(&expected));
        let (status, _) = get(false, "/v1/machines/X-1/measurements").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn the_changed_catalog_serves_other_values() {
        let path = "/v1/machines/P-200/measurements";
        assert_ne!(get(false, path).await.1, get(true, path).await.1);
    }
}
