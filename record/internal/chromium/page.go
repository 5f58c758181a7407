package chromium

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
)

// A Page is a tab of the browser. Its methods fail the test when what they do
// fails. It is not safe for concurrent use.
type Page struct {
	t          testing.TB
	b          *Browser
	session    string
	complaints []string
	requests   []string
}

// heard takes in an event. The browser's lock is held.
func (p *Page) heard(method string, params json.RawMessage) {
	var e struct {
		Request          struct{ URL string }
		Entry            struct{ Level, Text string }
		Type             string
		Args             []struct{ Value, Description any }
		ExceptionDetails struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	if json.Unmarshal(params, &e) != nil {
		return
	}
	switch method {
	case "Network.requestWillBeSent":
		p.requests = append(p.requests, e.Request.URL)
	case "Runtime.exceptionThrown":
		p.complaints = append(p.complaints, e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case "Log.entryAdded":
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			p.complaints = append(p.complaints, e.Entry.Text)
		}
	case "Runtime.consoleAPICalled":
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			p.complaints = append(p.complaints, fmt.Sprint(e.Args))
		}
	}
}

// Complaints returns what the page and the browser have complained of so far:
// exceptions, errors and warnings on the console, breaches of its policy.
func (p *Page) Complaints() []string {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	return slices.Clone(p.complaints)
}

// Requests returns the addresses that the page has asked for so far.
func (p *Page) Requests() []string {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	return slices.Clone(p.requests)
}

func (p *Page) call(method string, params, result any) {
	p.t.Helper()
	p.b.call(p.t, p.session, method, params, result)
}

// Eval evaluates an expression in the page, waits for it if it is a promise, and
// reads its value into value, if that is not nil.
func (p *Page) Eval(expression string, value any) {
	p.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	p.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true}, &r)
	if r.ExceptionDetails != nil {
		p.t.Fatalf("%s: %s", expression, r.ExceptionDetails.Exception.Description)
	}
	if value != nil {
		if err := json.Unmarshal(r.Result.Value, value); err != nil {
			p.t.Fatalf("%s is %s: %v", expression, r.Result.Value, err)
		}
	}
}

// Text returns the value of an expression, or of the promise that it is, as a
// string.
func (p *Page) Text(expression string) string {
	p.t.Helper()
	var s string
	p.Eval("Promise.resolve("+expression+").then(String)", &s)
	return s
}

// Wait waits until an expression is true. It looks with each frame.
func (p *Page) Wait(expression string) {
	p.t.Helper()
	p.Eval(`new Promise((done, fail) => {
		const until = performance.now() + 50000;
		const look = () => {
			if (`+expression+`) done(true);
			else if (performance.now() > until) fail(new Error("waited in vain"));
			else setTimeout(look, 10);
		};
		look();
	})`, nil)
}

// Size sets the size of the page in pixels.
func (p *Page) Size(width, height int) {
	p.t.Helper()
	p.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
}

// Scheme makes the page prefer a colour scheme, "dark" or "light".
func (p *Page) Scheme(name string) {
	p.t.Helper()
	p.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": name}}}, nil)
}

// Press presses a key and lets it go: a character, or the name of a key.
func (p *Page) Press(key string) {
	p.t.Helper()
	codes := map[string]int{"Enter": 13, "Backspace": 8, "Escape": 27, "Tab": 9, "ArrowUp": 38, "ArrowDown": 40, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35, "PageUp": 33, "PageDown": 34}
	press := map[string]any{"type": "keyDown", "key": key}
	switch code, named := codes[key]; {
	case named:
		press["windowsVirtualKeyCode"], press["code"] = code, key
		if key == "Enter" {
			press["text"] = "\r"
		}
	default:
		press["text"] = key
	}
	p.call("Input.dispatchKeyEvent", press, nil)
	p.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key}, nil)
}

// Type types text into what has the focus, all of it at once: between keys that come
// slowly a page may act on a part.
func (p *Page) Type(text string) {
	p.t.Helper()
	p.call("Input.insertText", map[string]any{"text": text}, nil)
}

// Click clicks at a point.
func (p *Page) Click(x, y float64) {
	p.t.Helper()
	p.Drag(x, y, x, y)
}

// Drag presses the mouse at a point and lets it go at another one.
func (p *Page) Drag(x, y, toX, toY float64) {
	p.t.Helper()
	mouse := func(what string, x, y float64, buttons int) {
		p.call("Input.dispatchMouseEvent", map[string]any{"type": what, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1}, nil)
	}
	mouse("mousePressed", x, y, 1)
	if x != toX || y != toY {
		mouse("mouseMoved", toX, toY, 1)
	}
	mouse("mouseReleased", toX, toY, 0)
}

// Wheel turns the wheel at a point. Modifiers are those of the protocol: 2 is
// Ctrl.
func (p *Page) Wheel(x, y, dx, dy float64, modifiers int) {
	p.t.Helper()
	p.call("Input.dispatchMouseEvent", map[string]any{"type": "mouseWheel", "x": x, "y": y, "deltaX": dx, "deltaY": dy, "modifiers": modifiers}, nil)
}

// Files gives files to the input that a selector finds.
func (p *Page) Files(selector string, files ...string) {
	p.t.Helper()
	var root struct{ Root struct{ NodeID int } }
	p.call("DOM.getDocument", nil, &root)
	var input struct{ NodeID int }
	p.call("DOM.querySelector", map[string]any{"nodeId": root.Root.NodeID, "selector": selector}, &input)
	p.call("DOM.setFileInputFiles", map[string]any{"nodeId": input.NodeID, "files": files}, nil)
}

// Screenshot writes what the page shows to a PNG file.
func (p *Page) Screenshot(file string) {
	p.t.Helper()
	var shot struct{ Data string }
	p.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	png, err := base64.StdEncoding.DecodeString(shot.Data)
	if err == nil {
		err = os.WriteFile(file, png, 0o644) //nolint:gosec // a picture
	}
	if err != nil {
		p.t.Fatal(err)
	}
}
