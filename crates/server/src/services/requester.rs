//! `RequesterService`.

use std::sync::Arc;

use piecework_core::{Command, Outcome, RequesterId};
use piecework_proto::v1;
use piecework_proto::v1::requester_service_server::RequesterService;
use tonic::{Request, Response, Status};

use crate::services::call::{Desk, Told, unexpected};
use crate::services::page::Page;
use crate::wire::failure::Failure;
use crate::wire::tokens::Scope;
use crate::wire::{from_wire, names, to_wire, tokens};

pub(crate) struct RequesterApi(pub(crate) Arc<Desk>);

impl RequesterApi {
    async fn change(&self, command: Command) -> Result<(v1::Requester, String), Failure> {
        let Told { outcome, position, .. } = self.0.ask(command).await?;
        match outcome {
            Outcome::Requester(requester) => {
                Ok((to_wire::requester::requester(*requester), position))
            }
            other => Err(unexpected(&other)),
        }
    }
}

#[tonic::async_trait]
impl RequesterService for RequesterApi {
    async fn create_requester(
        &self,
        request: Request<v1::CreateRequesterRequest>,
    ) -> Result<Response<v1::CreateRequesterResponse>, Status> {
        let create = from_wire::requester::create(request.into_inner())?;
        let (requester, position) = self.change(Command::CreateRequester(create)).await?;
        let requester = Some(requester);
        Ok(Response::new(v1::CreateRequesterResponse { requester, position }))
    }

    async fn get_requester(
        &self,
        request: Request<v1::GetRequesterRequest>,
    ) -> Result<Response<v1::GetRequesterResponse>, Status> {
        let request = request.into_inner();
        let name = names::requester("name", &request.name)?;
        self.0.reach(&request.min_position).await?;
        let requester = self.0.read(move |reader| reader.requester(&name)).await?;
        let requester = Some(to_wire::requester::requester(requester));
        Ok(Response::new(v1::GetRequesterResponse { requester }))
    }

    async fn list_requesters(
        &self,
        request: Request<v1::ListRequestersRequest>,
    ) -> Result<Response<v1::ListRequestersResponse>, Status> {
        let request = request.into_inner();
        let scope = Scope::of(&["requesters"]);
        let after = tokens::read_page(&request.page_token, scope)?;
        let size = from_wire::page_size(request.page_size);
        self.0.reach(&request.min_position).await?;
        let (requesters, next) = self
            .0
            .read(move |reader| {
                let mut page = Page::new(size, after);
                page.fill(
                    |after, limit| reader.requesters(RequesterId(tokens::number(after)), limit),
                    |requester| requester.id.0.into(),
                    |requester| Ok(Some(to_wire::requester::requester(requester))),
                )?;
                Ok(page.finish())
            })
            .await?;
        let next_page_token = tokens::next_page(scope, next);
        Ok(Response::new(v1::ListRequestersResponse { requesters, next_page_token }))
    }

    async fn update_requester(
        &self,
        request: Request<v1::UpdateRequesterRequest>,
    ) -> Result<Response<v1::UpdateRequesterResponse>, Status> {
        let update = from_wire::requester::update(request.into_inner())?;
        let (requester, position) = self.change(Command::UpdateRequester(update)).await?;
        let requester = Some(requester);
        Ok(Response::new(v1::UpdateRequesterResponse { requester, position }))
    }
}
