package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Access is who is let in over TCP: who has the token, or a certificate. One who is
// sees everything.
type Access struct {
	// Token is what clients send as a bearer token. The page gets it by its first
	// address, /?token=TOKEN, and keeps a cookie that is made from it. A browser sends
	// the cookies of a host to all ports of it.
	Token string
	// TLS has the certificate of the server, and with ClientAuth and ClientCAs those of
	// clients. Without it the address must be of the loopback.
	TLS *tls.Config
	// Hosts are the names by which clients may call the server, besides localhost and
	// addresses. Others are refused: a name can be made to mean any address, by
	// whoever has a page open in the user's browser (DNS rebinding).
	Hosts []string
}

// ErrAccess is wrapped by the errors for what would let in anybody.
var ErrAccess = errors.New("it would be open to others")

// check refuses what would let in anybody, or send tokens in the clear.
func (a *Access) check(addr *net.TCPAddr) error {
	certificates := a.TLS != nil && a.TLS.ClientAuth == tls.RequireAndVerifyClientCert
	switch {
	case a.TLS == nil && !addr.IP.IsLoopback():
		return fmt.Errorf("listening on %v without TLS: %w: take an address of the loopback, or give a certificate", addr, ErrAccess)
	case a.Token == "" && !certificates:
		return fmt.Errorf("listening on %v without a token: %w: give one, or have clients show certificates", addr, ErrAccess)
	case a.Token != "" && len(a.Token) < leastToken:
		return fmt.Errorf("a token of %d characters: %w: take at least %d", len(a.Token), ErrAccess, leastToken)
	}
	return nil
}

// leastToken is how many characters a token has at the least.
const leastToken = 16

// cookieName is the name of the page's cookie.
const cookieName = "lineage_token"

// cookie is the value of the page's cookie. The token cannot be had from it.
func (a *Access) cookie() string {
	sum := sha256.Sum256([]byte("lineage page " + a.Token))
	return hex.EncodeToString(sum[:])
}

// admit lets in a request over TCP. One that is not is returned as it is: some
// answers are for everybody.
func (a *Access) admit(w http.ResponseWriter, r *http.Request, p *peer) (*http.Request, error) {
	if a == nil {
		return nil, errUnknown
	}
	if !a.calls(r.Host) {
		return nil, problem(http.StatusMisdirectedRequest, "use its address, or allow the name when starting it", "this server is not called %q", r.Host)
	}
	if err := a.sameOrigin(r); err != nil {
		return nil, err
	}
	if a.Token != "" && r.URL.Path == "/" && r.URL.Query().Has("token") {
		return nil, a.enter(w, r)
	}
	if a.proves(r) {
		return withViewer(r, &viewer{all: true, uid: -1, gid: -1, client: p.name}), nil
	}
	return r, nil
}

// calls reports whether the server goes by that name.
func (a *Access) calls(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(host, "]"), "["), ".")
	if net.ParseIP(host) != nil || strings.EqualFold(host, "localhost") {
		return true
	}
	return slices.ContainsFunc(a.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// sameOrigin refuses what a page of another origin asks. Only to follow a link to
// the page is allowed.
func (a *Access) sameOrigin(r *http.Request) error {
	foreign := problem(http.StatusForbidden, "ask from the page of this server, or without a browser", "a page of another origin asks")
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		scheme := "http"
		if a.TLS != nil {
			scheme = "https"
		}
		if err != nil || u.Scheme != scheme || !strings.EqualFold(u.Host, r.Host) {
			return foreign
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		if r.URL.Path != "/" || r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			return foreign
		}
	}
	return nil
}

// proves reports whether the request has the token, or came with a certificate.
func (a *Access) proves(r *http.Request) bool {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return true
	}
	if a.Token == "" {
		return false
	}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return same(token, a.Token)
	}
	c, err := r.Cookie(cookieName)
	return err == nil && same(c.Value, a.cookie())
}

// same compares secrets, in a time that tells nothing of them.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// enter gives the page its cookie, and takes the token out of the address.
func (a *Access) enter(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if !same(query.Get("token"), a.Token) {
		return problem(http.StatusUnauthorized, "take the address that lineage serve has told", "the token is another one")
	}
	query.Del("token")
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: a.cookie(), Path: "/", HttpOnly: true, Secure: a.TLS != nil, SameSite: http.SameSiteStrictMode,
	})
	to := "/"
	if rest := query.Encode(); rest != "" {
		to += "?" + rest
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
