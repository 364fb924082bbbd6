//! `GET /users/profile`

use reqwest::StatusCode;
use serde_json::Value;

use crate::on_both_deployments;
use crate::server::{Deployment, Server};
use crate::shapes::{BUYER_ACCOUNT, PROFILE_ALONE, SELLER_ACCOUNT, USER, assert_keys, assert_time};

on_both_deployments!(a_profile_has_the_fields_of_the_contract_and_no_other, who_is_not_logged_in_has_no_profile,);

async fn a_profile_has_the_fields_of_the_contract_and_no_other(deployment: Deployment) {
    let server = Server::start(deployment).await;
    for (name, buyer, seller) in [("buyer1", true, false), ("seller1", false, true), ("both1", true, true)] {
        let answer = server.logged_in(&format!("{name}@markt.com")).await.get("/users/profile").await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(answer.header("cache-control"), "no-store");
        let profile = answer.json();
        assert_keys(&profile, &[&USER, &PROFILE_ALONE]);
        assert_eq!(profile["username"], name);
        assert_eq!(profile["address"], Value::Null);
        assert_eq!((&profile["is_buyer"], &profile["is_seller"]), (&buyer.into(), &seller.into()), "{profile}");
        assert_eq!(profile["buyer_account"].is_object(), buyer, "{profile}");
        assert_eq!(profile["seller_account"].is_object(), seller, "{profile}");
        if buyer {
            let account = &profile["buyer_account"];
            assert_keys(account, &[&BUYER_ACCOUNT]);
            assert_eq!(account["is_active"], true);
            assert_time(&account["created_at"]);
        }
        if seller {
            let account = &profile["seller_account"];
            assert_keys(account, &[&SELLER_ACCOUNT]);
            assert_eq!(account["verification_status"], "unverified");
            assert_eq!(account["category_ids"], Value::Array(Vec::new()));
            assert_eq!((&account["total_rating"], &account["total_raters"]), (&0.into(), &0.into()));
            assert_time(&account["joined_date"]);
        }
    }
}

async fn who_is_not_logged_in_has_no_profile(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let answer = server.client().get("/users/profile").await;
    answer.assert_error(401, "not_authenticated");
    assert_eq!(answer.header("cache-control"), "no-store");
    for secret in ["", "x", &"x".repeat(43), &"=".repeat(43), &"x".repeat(44)] {
        server.with_cookie(secret).get("/users/profile").await.assert_error(401, "not_authenticated");
        server.with_bearer(secret).get("/users/profile").await.assert_error(401, "not_authenticated");
    }
}
