package api

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI returns the description of the API, in YAML, by OpenAPI 3.1.
func OpenAPI() []byte { return append([]byte(nil), openAPI...) }

func (s *Server) openapi(w http.ResponseWriter, r *http.Request) error {
	return s.send(w, r, "application/yaml", openAPI)
}
