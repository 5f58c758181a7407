// Package web is the page of lineage serve: what runs and what ran, as a tree
// beside a time line. It is built from src with Vite into dist, which is committed,
// so that nothing but Go is needed to build lineage.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed all:dist
var dist embed.FS

// policy is the Content-Security-Policy of the page: its own files, the API beside
// it, and nothing that is written into HTML. Whatever a process is called, it stays
// text.
//
//go:embed policy.txt
var policy string

// types are those of the files by the ends of their names, whatever the host's table
// of types says.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

// A file is one that the page is made of.
type file struct {
	content   []byte
	mediaType string
	tag       string // the ETag
	immutable bool   // its name has a hash of it
}

// Handler serves the page at / and what it is made of below /assets/; all else is
// not found. Names below /assets/ have a hash of what they name, so that browsers
// may keep that for good; the page itself is asked for each time, by its ETag. The
// handler may be used by several goroutines at a time.
func Handler() http.Handler {
	files := load()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := files[r.URL.Path]
		switch {
		case !ok:
			http.NotFound(w, r)
			return
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the page can only be read", http.StatusMethodNotAllowed)
			return
		}
		f.serve(w, r)
	})
}

// load returns the files by the path that they are served at.
func load() map[string]file {
	files := map[string]file{}
	err := fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		at := strings.TrimPrefix(name, "dist")
		if at == "/index.html" {
			at = "/"
		}
		sum := sha256.Sum256(content)
		f := file{content: content, mediaType: types[path.Ext(name)], tag: `"` + hex.EncodeToString(sum[:16]) + `"`, immutable: strings.HasPrefix(at, "/assets/")}
		if f.mediaType == "" {
			f.mediaType = mime.TypeByExtension(path.Ext(name))
		}
		files[at] = f
		return nil
	})
	if err != nil {
		panic("web: " + err.Error()) // what is embedded can be read
	}
	return files
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.mediaType)
	h.Set("ETag", f.tag)
	h.Set("Cache-Control", "no-cache")
	if f.immutable {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Content-Security-Policy", strings.TrimSpace(policy))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // the address says what is looked at
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
}
