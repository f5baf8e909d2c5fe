# A real Kafka and a real Redis on this machine; deploy/services/start.sh has the settings.

.PHONY: services services-stop services-clean

services: ## Start a real Kafka (19092) and Redis (16379); KAFKA_BROKERS=3 for three brokers
	@./deploy/services/start.sh

services-stop: ## Stop them; their data stays
	@./deploy/services/stop.sh

services-clean: ## Stop them and remove their data
	@./deploy/services/stop.sh --remove-data
