package api_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/proclineage/lineage/api"
)

const token = "0123456789abcdefghij"

// onTCP starts a server on the loopback, and returns its address.
func onTCP(t *testing.T, a api.Access) string {
	t.Helper()
	tree, history := world()
	l, err := api.ListenTCP("127.0.0.1:0", a)
	if err != nil {
		t.Fatal(err)
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("page")) })
	run(t, api.New(api.Options{Tree: tree, History: history, Page: page}), l)
	return l.Addr().String()
}

// TestAccessIsRefused holds what is not listened on at all.
func TestAccessIsRefused(t *testing.T) {
	own := &tls.Config{MinVersion: tls.VersionTLS13}
	for _, test := range []struct {
		address string
		access  api.Access
	}{
		{"0.0.0.0:0", api.Access{Token: token}}, {":0", api.Access{Token: token}}, {"[::]:0", api.Access{Token: token}},
		{"127.0.0.1:0", api.Access{}}, {"127.0.0.1:0", api.Access{Token: "short"}}, {"127.0.0.1:0", api.Access{TLS: own}},
		{"0.0.0.0:0", api.Access{TLS: own}},
	} {
		l, err := api.ListenTCP(test.address, test.access)
		if !errors.Is(err, api.ErrAccess) {
			t.Errorf("%s %+v: %v", test.address, test.access, err)
		}
		if err == nil {
			_ = l.Close()
		}
	}
}

func TestToken(t *testing.T) {
	address := onTCP(t, api.Access{Token: token})
	base := "http://" + address
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(c.CloseIdleConnections)
	good := []string{"Authorization", "Bearer " + token}
	if resp, body := fetch(t, c, base+"/v1/processes", good...); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s", resp.Status, body)
	}
	refuse(t, c, http.StatusUnauthorized, base+"/v1/processes")
	refuse(t, c, http.StatusUnauthorized, base+"/")
	refuse(t, c, http.StatusUnauthorized, base+"/metrics")
	refuse(t, c, http.StatusUnauthorized, base+"/v1/processes", "Authorization", "Bearer "+token+"x")
	refuse(t, c, http.StatusUnauthorized, base+"/?token=x")
	refuse(t, c, http.StatusUnauthorized, base+"/v1/processes?token="+token)
	refuse(t, c, http.StatusUnauthorized, base+"/v1/processes", "Cookie", "lineage_token="+token)
	if resp, _ := fetch(t, c, base+"/healthz"); resp.StatusCode != http.StatusOK {
		t.Errorf("healthz: %s", resp.Status)
	}
	// What a page of another site has a browser ask.
	refuse(t, c, http.StatusMisdirectedRequest, base+"/v1/processes", append(good, "Host", "evil.example")...)
	refuse(t, c, http.StatusForbidden, base+"/v1/processes", append(good, "Origin", "http://evil.example")...)
	refuse(t, c, http.StatusForbidden, base+"/v1/processes", append(good, "Origin", "null")...)
	refuse(t, c, http.StatusForbidden, base+"/v1/processes", append(good, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors")...)
	resp, _ := fetch(t, c, base+"/v1/processes", append(good, "Origin", base)...)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("its own page: %s %v", resp.Status, resp.Header)
	}
	// The page gets a cookie, and the token leaves the address.
	resp, _ = fetch(t, c, base+"/?token="+token+"&q=nginx")
	cookies := resp.Cookies()
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/?q=nginx" || len(cookies) != 1 ||
		!cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteStrictMode || strings.Contains(cookies[0].Value, token) {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	resp, body := fetch(t, c, base+"/", "Cookie", cookies[0].Name+"="+cookies[0].Value)
	if resp.StatusCode != http.StatusOK || string(body) != "page" || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "script-src 'self'") {
		t.Errorf("the page: %s %s %v", resp.Status, body, resp.Header)
	}
}

// TestCertificates lets in who shows a certificate, and nobody else.
func TestCertificates(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	made := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true,
		BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, made, made, public, private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	certificate := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	address := onTCP(t, api.Access{TLS: &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}})
	client := func(own []tls.Certificate) *http.Client {
		tr := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, Certificates: own}}
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr}
	}
	if resp, err := client(nil).Get("https://" + address + "/v1/processes"); err == nil {
		resp.Body.Close()
		t.Errorf("without a certificate: %s", resp.Status)
	}
	resp, body := fetch(t, client([]tls.Certificate{certificate}), "https://"+address+"/v1/processes")
	if resp.StatusCode != http.StatusOK {
		t.Errorf("with one: %s %s", resp.Status, body)
	}
}

func TestRequestsAreLimited(t *testing.T) {
	tree, history := world()
	c := over(t, serve(t, api.Options{Tree: tree, History: history}))
	refuse(t, c, http.StatusRequestURITooLong, "/v1/processes?q="+strings.Repeat("x", 9<<10))
	refuse(t, c, http.StatusBadRequest, "/v1/processes?q="+strings.Repeat("x", 2<<10))
	refuse(t, c, http.StatusBadRequest, "/v1/processes?limit=10001")
	refuse(t, c, http.StatusBadRequest, "/v1/processes?lmit=1")
	refuse(t, c, http.StatusBadRequest, "/v1/processes?limit=1&limit=2")
	refuse(t, c, http.StatusBadRequest, "/v1/tree?since=100d")
	refuse(t, c, http.StatusNotFound, "/v1/nothing")
	for _, r := range []*http.Request{
		httptest.NewRequest(http.MethodPost, "http://lineage/v1/processes", nil),
		httptest.NewRequest(http.MethodGet, "http://lineage/v1/processes", strings.NewReader("body")),
	} {
		r.RequestURI = ""
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed && resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
			t.Errorf("%s with %d bytes: %s", r.Method, r.ContentLength, resp.Status)
		}
	}
	few := over(t, serve(t, api.Options{Tree: tree, History: history, Limits: api.Limits{Rate: 1, Burst: 2}}))
	for i := 0; ; i++ { // one more may be asked each second
		resp, body := fetch(t, few, "/healthz")
		if i >= 2 && resp.StatusCode != http.StatusOK || i == 100 {
			checkProblem(t, resp, body, http.StatusTooManyRequests)
			break
		}
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("question %d: %s", i, resp.Status)
		}
	}
	none := over(t, serve(t, api.Options{Tree: tree}))
	refuse(t, none, http.StatusNotImplemented, "/v1/history")
	refuse(t, none, http.StatusNotImplemented, "/v1/events")
	if s := ask[api.Status](t, none, "/v1/status"); s.Store != nil || s.Events.Live {
		t.Errorf("%+v", s)
	}
}

// TestSocketIsTakenOver holds that a socket that nobody listens on is replaced, and
// no other.
func TestSocketIsTakenOver(t *testing.T) {
	path := t.TempDir() + "/s"
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if other, err := api.Listen(path); err == nil {
		_ = other.Close()
		t.Error("a socket in use was taken over")
	}
	l.Listener.(interface{ SetUnlinkOnClose(bool) }).SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
