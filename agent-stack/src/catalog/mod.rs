//! A small HTTP service with the prices of spare parts: what one of the tools calls.

use crate::server::{self, ServerError};
use crate::shutdown;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use clap::Args;
use portproof_proto::names::HTTP_PORT;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io;

/// Flags of `agent-stack catalog`.
#[derive(Args, Clone, Debug)]
pub struct CatalogArgs {
    /// Port to listen on.
    #[arg(long, default_value_t = HTTP_PORT)]
    pub port: u16,
    /// Serve other prices: a deviation that a check must notice.
    #[arg(long)]
    pub changed: bool,
}

/// Why the catalog stopped.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// No signal handler.
    #[error("signals cannot be handled")]
    Signal(#[source] io::Error),
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

const ITEMS: [(&str, &str, f64); 6] = [
    ("SKU-7311", "Mechanical shaft seal 35 mm, EPDM", 42.5),
    ("SKU-7312", "Mechanical shaft seal 50 mm, FKM", 68.9),
    ("SKU-2048", "Deep groove ball bearing 6208", 17.35),
    ("SKU-5120", "Impeller 165 mm, cast iron", 118.0),
    ("SKU-9004", "Coupling spider, size 24", 9.8),
    ("SKU-3307", "Float switch with 10 m cable", 33.25),
];

/// Serves the catalog until a signal ends it.
///
/// # Errors
/// When the port is taken or no signal handler can be installed.
pub async fn run(args: CatalogArgs) -> Result<(), CatalogError> {
    let shutdown = shutdown::on_signal().map_err(CatalogError::Signal)?;
    server::serve(args.port, router(args.changed), shutdown)
        .await
        .map_err(CatalogError::Server)
}

/// The catalog's routes; `changed` serves other prices.
pub fn router(changed: bool) -> Router {
    let router = Router::new()
        .route("/v1/items/{sku}", get(item))
        .with_state(changed);
    server::with_health(router, server::always_ready())
}

async fn item(
    State(changed): State<bool>,
    Path(sku): Path<String>,
) -> Result<Json<Item>, (StatusCode, Json<Value>)> {
    let found = ITEMS.iter().find(|(number, _, _)| *number == sku);
    let (sku, name, price) = found.ok_or_else(|| {
        (
            StatusCode::NOT_FOUND,
            Json(json!({"error": format!("no item `{sku}`")})),
        )
    })?;
    let unit_price = if changed { price + 1.0 } else { *price };
    Ok(Json(Item {
        sku: (*sku).into(),
        name: (*name).into(),
        unit_price,
        currency: "EUR".into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    async fn ask(changed: bool, sku: &str) -> (StatusCode, Value) {
        let request = Request::get(format!("/v1/items/{sku}"))
            .body(Body::empty())
            .unwrap();
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
    async fn the_changed_catalog_serves_another_price_for_every_item() {
        for (sku, _, _) in ITEMS {
            assert_ne!(
                ask(false, sku).await.1["unitPrice"],
                ask(true, sku).await.1["unitPrice"]
            );
        }
    }
}
