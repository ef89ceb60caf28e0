// get-quote in Go: golang-jwt, pgx, one connection opened in init.
//
// The loop around the handler is a minimal Runtime API client. AWS's own does
// more for each invocation.
//go:debug default=go1.24
package main

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/golang-jwt/jwt"
	"github.com/jackc/pgx/v4"
)

var (
	ctx      = context.Background()
	find     = os.Getenv("FIND_QUOTE_SQL")
	origin   = os.Getenv("PUBLIC_ORIGIN")
	key      *rsa.PublicKey
	database *pgx.Conn
	parser   = jwt.Parser{ValidMethods: []string{"RS256"}}
)

type event struct {
	Headers map[string]string `json:"headers"`
}

type answer struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers"`
	Body       string            `json:"body"`
}

type quote struct {
	Message string `json:"message"`
	SavedAt string `json:"savedAt"`
}

type claims struct {
	jwt.StandardClaims
	Party string `json:"azp"`
}

func main() {
	var err error
	key, err = jwt.ParseRSAPublicKeyFromPEM([]byte(os.Getenv("CLERK_JWT_KEY")))
	check(err)
	database, err = pgx.Connect(ctx, os.Getenv("DATABASE_URL"))
	check(err)
	serve("http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/")
}

func getQuote(e event) answer {
	token := strings.TrimPrefix(e.Headers["authorization"], "Bearer ")
	var c claims
	_, err := parser.ParseWithClaims(token, &c, func(*jwt.Token) (interface{}, error) { return key, nil })
	if err != nil || c.Party != origin {
		return reply(401, map[string]int{"status": 401})
	}
	var q quote
	var version string
	err = database.QueryRow(ctx, find, c.Subject).Scan(&q.Message, &q.SavedAt, &version)
	if errors.Is(err, pgx.ErrNoRows) {
		return reply(404, map[string]int{"status": 404})
	}
	check(err)
	found := reply(200, q)
	found.Headers["etag"] = `"` + version + `"`
	return found
}

func reply(status int, body interface{}) answer {
	text, err := json.Marshal(body)
	check(err)
	headers := map[string]string{"content-type": "application/json", "cache-control": "private, no-store"}
	return answer{status, headers, string(text)}
}

func serve(invocation string) {
	for {
		next, err := http.Get(invocation + "next")
		check(err)
		var e event
		check(json.NewDecoder(next.Body).Decode(&e))
		finish(next)
		response, err := json.Marshal(getQuote(e))
		check(err)
		id := next.Header.Get("Lambda-Runtime-Aws-Request-Id")
		accepted, err := http.Post(invocation+id+"/response", "application/json", bytes.NewReader(response))
		check(err)
		finish(accepted)
	}
}

// The rest of a body must be read for the connection to be used again.
func finish(response *http.Response) {
	_, err := io.Copy(io.Discard, response.Body)
	check(err)
	check(response.Body.Close())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
