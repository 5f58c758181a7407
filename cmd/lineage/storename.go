package main

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// isFleet reports whether the name of a store is that of one for many hosts: of a
// ClickHouse, by its own protocol or by HTTP.
func isFleet(name string) bool {
	scheme, _, ok := strings.Cut(name, "://")
	return ok && slices.Contains([]string{"clickhouse", "http", "https"}, scheme)
}

// isStore reports whether it is the name of a store.
func isStore(name string) bool { return isFleet(name) || strings.HasPrefix(name, "sqlite:") }

// shownStore is the name of a store without what is secret in it.
func shownStore(name string) string {
	scheme, rest, ok := strings.Cut(name, "://")
	if !ok {
		return name
	}
	user, _, hosts := cutPassword(rest)
	return scheme + "://" + user + hosts
}

// cutPassword divides what follows the scheme in the name of a store, without its
// parameters, into what is before the password, that, and what is after it from the @
// on: the last one, as the password may have others.
func cutPassword(rest string) (user, password, hosts string) {
	rest, _, _ = strings.Cut(rest, "?")
	at := strings.LastIndex(rest, "@")
	if at < 0 {
		return "", "", rest
	}
	user, password, _ = strings.Cut(rest[:at], ":")
	return user, password, rest[at:]
}

// cutHosts divides the same, with its parameters, into the user with the password, the
// hosts, and what follows these.
func cutHosts(rest string) (user, hosts, path string) {
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	hosts, path = rest[:end], rest[end:]
	if at := strings.LastIndex(hosts, "@"); at >= 0 {
		user, hosts = hosts[:at], hosts[at+1:]
	}
	return user, hosts, path
}

// fullStore is the name of a store of a fleet with what it does not say of the user, the
// password, the port and TLS. Its error is one of usage.
func fullStore(name string, getenv func(string) string) (string, error) {
	full := withPorts(withCredentials(name, getenv))
	o, err := driver.ParseDSN(full)
	if err != nil {
		return "", usagef("--store %s: %w", quoted(shownStore(name)), shortened(hushed(err, secretsOf(full))))
	}
	for _, address := range o.Addr {
		host, port, err := net.SplitHostPort(address)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil || n == 0 {
			return "", usagef("--store %s: %s is no HOST:PORT", quoted(shownStore(name)), quoted(address))
		}
	}
	return full, nil
}

// withPorts is the name of a store of a fleet with the usual ports, where it has none,
// and with TLS where it is of HTTPS.
func withPorts(name string) string {
	scheme, rest, _ := strings.Cut(name, "://")
	user, hosts, path := cutHosts(rest)
	if user != "" {
		user += "@"
	}
	path, query, _ := strings.Cut(path, "?")
	values, _ := url.ParseQuery(query) // what cannot be read the driver refuses
	secure, _ := strconv.ParseBool(values.Get("secure"))
	secure = secure || values.Has("secure") && values.Get("secure") == ""
	if scheme == "https" && !values.Has("secure") {
		secure = true
		query = strings.TrimPrefix(query+"&secure=true", "&")
	}
	port := "9000"
	switch {
	case scheme != "clickhouse" && secure:
		port = "8443"
	case scheme != "clickhouse":
		port = "8123"
	case secure:
		port = "9440"
	}
	list := strings.Split(hosts, ",")
	for i, h := range list {
		if h != "" && strings.LastIndex(h, ":") <= strings.LastIndex(h, "]") { // of IPv6 it is in brackets
			list[i] = h + ":" + port
		}
	}
	if query != "" {
		query = "?" + query
	}
	return scheme + "://" + user + strings.Join(list, ",") + path + query
}

// withCredentials is the name of a store of a fleet with what it does not say of the
// user and the password.
func withCredentials(name string, getenv func(string) string) string {
	scheme, rest, _ := strings.Cut(name, "://")
	user, hosts, path := cutHosts(rest)
	_, _, given := strings.Cut(user, ":")
	password := getenv("CLICKHOUSE_PASSWORD")
	if user == "" {
		user = url.User(getenv("CLICKHOUSE_USER")).String()
	}
	if !given && password != "" {
		_, escaped, _ := strings.Cut(url.UserPassword("", password).String(), ":")
		user = cmp.Or(user, "default") + ":" + escaped
	}
	if user == "" {
		return name
	}
	return scheme + "://" + user + "@" + hosts + path
}

// secretsOf is the password in the name of a store, as it stands there and as it is.
func secretsOf(name string) (secrets []string) {
	_, rest, _ := strings.Cut(name, "://")
	_, password, _ := cutPassword(rest)
	plain, err := url.PathUnescape(password)
	for _, s := range []string{password, plain} {
		if s != "" && err == nil {
			secrets = append(secrets, s)
		}
	}
	return secrets
}

// hushed is an error without the secrets, which errors of drivers may quote.
func hushed(err error, secrets []string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, "***")
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

// shortened is an error without the addresses that those of HTTP and of URLs repeat.
func shortened(err error) error {
	e, ok := errors.AsType[*url.Error](err)
	if !ok || e.Err == nil {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), e.Error(), e.Err.Error()))
}
