# The program in an image without shell or package manager, run by an unprivileged user.
#
# Images are named by digest, which nobody can move; the tag says which version that is.
# `docker buildx imagetools inspect NAME:TAG` shows the digest of a newer one.
FROM golang:1.26.9@sha256:f1f0bcc2c524a3ced375fcb4d1ecb7aa371aa7070e112599aaca45cc02d0101b AS build
WORKDIR /src
# The dependencies are a layer of their own: they change less often than the code.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/kycbridge ./cmd/kycbridge

FROM gcr.io/distroless/static-debian12:nonroot@sha256:afa5c872c891853ca7fcf1f12c3edb23f7eeef36189728842dd51042ff57f7ab
COPY --from=build /out/kycbridge /usr/bin/kycbridge
# Webhooks; health and metrics.
EXPOSE 8080 9090
# The admin address of the configuration; another one: healthcheck --admin HOST:PORT.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=6 CMD ["/usr/bin/kycbridge", "healthcheck"]
ENTRYPOINT ["/usr/bin/kycbridge"]
CMD ["all", "--config", "/etc/kycbridge/config.yaml"]
