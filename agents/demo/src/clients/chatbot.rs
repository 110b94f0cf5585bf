//! The shopping assistant: rules, no model; its tools are the shop's API.

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;
use rand::RngExt as _;
use serde_json::Value;

use super::shopper::{Shopper, Storefront, add_to_cart, any_sku, any_word, product};
use crate::failure::Failure;
use crate::peer::Ask;
use crate::work::{Work, span};

/// One question: looks something up and, now and then, puts it into the cart.
pub(super) async fn ask(front: &Storefront, shopper: &Shopper) {
    let attributes = vec![
        KeyValue::new("gen_ai.operation.name", "invoke_agent"),
        KeyValue::new("gen_ai.agent.name", "shop-assistant"),
        KeyValue::new("gen_ai.conversation.id", format!("c-{:08x}", rand::random::<u32>())),
    ];
    front
        .act_as("invoke_agent shop-assistant", attributes, async |question| answer(front, shopper, question).await)
        .await;
}

async fn answer(front: &Storefront, shopper: &Shopper, question: &Work) -> Result<(), Failure> {
    let word = any_word();
    let found = tool(question, "search_products", async |call| {
        front.open(call, Ask::get("/api/search", format!("/api/search?q={word}"))).await
    })
    .await?;
    let sku = found["products"][0]["sku"].as_str().map_or_else(any_sku, str::to_owned);
    let product = tool(question, "show_product", async |call| front.open(call, product(&sku)).await).await?;
    if rand::rng().random_bool(0.4) {
        tool(question, "add_to_cart", async |call| front.signed(call, shopper, add_to_cart(&sku)).await).await?;
    }
    let name = product["name"].as_str().unwrap_or("nothing").to_owned();
    question.info(format!("asked about {word:?}, recommended {name}"), [("shop.sku", sku.into())]);
    Ok(())
}

async fn tool(
    question: &Work,
    name: &'static str,
    run: impl AsyncFnOnce(&Work) -> Result<Value, Failure>,
) -> Result<Value, Failure> {
    let attributes =
        vec![KeyValue::new("gen_ai.operation.name", "execute_tool"), KeyValue::new("gen_ai.tool.name", name)];
    let call = question.child(span(SpanKind::Internal, format!("execute_tool {name}"), attributes));
    let result = run(&call).await;
    if let Err(failure) = &result {
        call.fail(&failure.code, &failure.detail);
    }
    call.end();
    result
}
