# CI or the README runs every target. `make` alone lists them.
ARCH ?= arm64
LAMBDA_DIR ?= target/lambda

.PHONY: help dev token migrate test test-slow setup account build deploy rollback logs destroy bench

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

dev: ## Run everything locally: Postgres, a stand-in for Clerk, the functions (PORT=9000, VERBOSE=1)
	@sh dev/check-tools.sh && exec sh dev/run.sh dev --parent $$PPID

token: ## Print a session token for curl (USER_ID=, TTL= seconds, PORT= of make dev)
	@sh dev/run.sh token

migrate: ## Apply pending migrations to MIGRATION_DATABASE_URL or DATABASE_URL
	@sh dev/run.sh migrate

test: ## Run every test that is not slow, and count them
	@sh tests/run.sh quick

test-slow: ## Run the slow tests: licences, both architectures, a deployment
	@sh tests/run.sh slow

setup: ## Ask for what a stage needs, make it and deploy (STAGE=)
	@sh infra/setup.sh

account: ## Make the roles and the bucket for deployments from GitHub, once (GITHUB_REPOSITORY=owner/name)
	@sh infra/account.sh

build: ## Build the artefacts of the functions (ARCH=arm64|x86_64, LAMBDA_DIR=target/lambda)
	@ARCH=$(ARCH) LAMBDA_DIR=$(LAMBDA_DIR) sh infra/build.sh

deploy: ## Build and deploy a stage (STAGE=; MIGRATE=1 applies migrations first)
	@sh infra/deploy.sh

rollback: ## Return a stage to the previous release (STAGE=)
	@sh infra/rollback.sh

logs: ## Print the logs of a stage (STAGE=; FOLLOW=1 keeps printing)
	@sh infra/logs.sh

destroy: ## Delete a stage and everything in it, after asking (STAGE=)
	@sh infra/destroy.sh

bench: ## Benchmark the functions, their peers and the floor
	@sh bench/run.sh
