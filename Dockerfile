# The program in an image without shell or package manager, run by an unprivileged user.
FROM golang:1.26 AS build
WORKDIR /src
# The dependencies are a layer of their own: they change less often than the code.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/kycbridge ./cmd/kycbridge

# Only for its static wget, which the health check in docker-compose.yml runs.
FROM busybox:1.37.0-musl AS busybox

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=busybox /bin/wget /usr/bin/wget
COPY --from=build /out/kycbridge /usr/bin/kycbridge
# Webhooks; health and metrics.
EXPOSE 8080 9090
ENTRYPOINT ["/usr/bin/kycbridge"]
CMD ["all", "--config", "/etc/kycbridge/config.yaml"]
