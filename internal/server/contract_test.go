package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
)

// description is openapi.yaml, as much of it as tests need.
type description struct {
	Paths      map[string]map[string]operation `yaml:"paths"`
	Components struct {
		Schemas   map[string]shape    `yaml:"schemas"`
		Responses map[string]response `yaml:"responses"`
		Headers   map[string]headerOf `yaml:"headers"`
	} `yaml:"components"`
}

type operation struct {
	ID          string                `yaml:"operationId"`
	Security    []map[string][]string `yaml:"security"`
	Responses   map[string]response   `yaml:"responses"`
	RequestBody struct {
		Content map[string]struct {
			Schema shape `yaml:"schema"`
		} `yaml:"content"`
	} `yaml:"requestBody"`
}

type response struct {
	Ref     string              `yaml:"$ref"`
	Headers map[string]headerOf `yaml:"headers"`
	Content map[string]struct {
		Schema shape `yaml:"schema"`
	} `yaml:"content"`
}

type headerOf struct {
	Ref      string `yaml:"$ref"`
	Required bool   `yaml:"required"`
	Schema   shape  `yaml:"schema"`
}

// shape is the part of JSON Schema that the document uses.
type shape struct {
	Ref         string           `yaml:"$ref"`
	Type        string           `yaml:"type"`
	Description string           `yaml:"description"`
	Properties  map[string]shape `yaml:"properties"`
	Required    []string         `yaml:"required"`
	Additional  yaml.Node        `yaml:"additionalProperties"`
	Items       *shape           `yaml:"items"`
	Enum        []string         `yaml:"enum"`
	OneOf       []shape          `yaml:"oneOf"`
	Format      string           `yaml:"format"`
	Minimum     *float64         `yaml:"minimum"`
	Maximum     *float64         `yaml:"maximum"`
	MaxLength   int              `yaml:"maxLength"`
	Default     any              `yaml:"default"`
}

// contract parses the document once.
var contract = sync.OnceValue(func() *description {
	var d description
	if err := yaml.Unmarshal(openapiText, &d); err != nil {
		panic(err)
	}
	for _, ops := range d.Paths {
		for _, op := range ops {
			for status, r := range op.Responses {
				op.Responses[status] = d.resolve(r)
			}
		}
	}
	return &d
})

func (d *description) resolve(r response) response {
	if name, ok := strings.CutPrefix(r.Ref, "#/components/responses/"); ok {
		r = d.Components.Responses[name]
	}
	out := map[string]headerOf{}
	for name, h := range r.Headers {
		if ref, ok := strings.CutPrefix(h.Ref, "#/components/headers/"); ok {
			h = d.Components.Headers[ref]
		}
		out[name] = h
	}
	r.Headers = out
	return r
}

func (d *description) schema(s shape) shape {
	for s.Ref != "" {
		name := strings.TrimPrefix(s.Ref, "#/components/schemas/")
		found, ok := d.Components.Schemas[name]
		if !ok {
			panic("openapi.yaml: no schema " + s.Ref)
		}
		s = found
	}
	return s
}

// operationAt finds the operation of a request, whose path has values where the
// document has names.
func (d *description) operationAt(method, path string) (operation, bool) {
	if method != strings.ToUpper(method) {
		return operation{}, false // methods have a case
	}
	method = strings.ToLower(method)
	if method == "head" {
		method = "get"
	}
	if op, ok := d.Paths[path][method]; ok {
		return op, true
	}
	for pattern, ops := range d.Paths {
		if op, ok := ops[method]; ok && fits(pattern, path) {
			return op, true
		}
	}
	return operation{}, false
}

func fits(pattern, path string) bool {
	p, q := strings.Split(pattern, "/"), strings.Split(path, "/")
	return slices.EqualFunc(p, q, func(a, b string) bool { return a == b || strings.HasPrefix(a, "{") && b != "" })
}

// check holds an answer against the document. What the document does not
// describe, such as pages, it does not judge.
func (d *description) check(method, path string, a *answer) (problems []string) {
	op, ok := d.operationAt(method, path)
	if !ok || a.status == 404 && strings.Contains(a.body, "There is nothing at this address.") {
		return nil // an address of another listener
	}
	if a.status == 431 && a.code() == "too_many_cookies" {
		return nil // said once, for all addresses that look for a cookie
	}
	r, ok := op.Responses[fmt.Sprint(a.status)]
	if !ok {
		return []string{"the status is not named; body " + a.body}
	}
	for name, h := range r.Headers {
		value := a.header.Get(name)
		if h.Required && value == "" {
			problems = append(problems, "the header "+name+" is missing")
		}
		if value != "" && len(h.Schema.Enum) > 0 && !slices.Contains(h.Schema.Enum, value) {
			problems = append(problems, fmt.Sprintf("the header %s is %q", name, value))
		}
	}
	if len(r.Content) == 0 {
		if a.body != "" && a.status != 302 {
			problems = append(problems, "there is a body")
		}
		return problems
	}
	kind, params, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	content, ok := r.Content[kind]
	bare := kind == "application/octet-stream" || kind == "application/statuslist+jwt" // types that know no charset
	if err != nil || !ok || !bare && params["charset"] != "utf-8" {
		return append(problems, fmt.Sprintf("the content type is %q, want one of %v with charset", a.header.Get("Content-Type"), slices.Collect(maps.Keys(r.Content))))
	}
	if method == "HEAD" || !strings.HasSuffix(kind, "json") {
		return problems
	}
	var v any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		return append(problems, err.Error())
	}
	return append(problems, d.validate("body", content.Schema, v)...)
}

// validate is strict in one more way than JSON Schema: a member of an answer
// must be named in the document.
func (d *description) validate(at string, s shape, v any) (problems []string) {
	s = d.schema(s)
	if len(s.OneOf) > 0 {
		var all []string
		fitting := 0
		for _, one := range s.OneOf {
			p := d.validate(at, one, v)
			if len(p) == 0 {
				fitting++
			}
			all = append(all, p...)
		}
		if fitting != 1 {
			return append(all, fmt.Sprintf("%s fits %d of %d forms", at, fitting, len(s.OneOf)))
		}
		return nil
	}
	complain := func(format string, args ...any) {
		problems = append(problems, at+" "+fmt.Sprintf(format, args...))
	}
	switch x := v.(type) {
	case map[string]any:
		if s.Type != "object" {
			complain("is an object, want %s", s.Type)
			return problems
		}
		for _, name := range s.Required {
			if _, ok := x[name]; !ok {
				complain("has no member %s", name)
			}
		}
		for name, value := range x {
			p, ok := s.Properties[name]
			switch {
			case ok:
				problems = append(problems, d.validate(at+"."+name, p, value)...)
			case s.Additional.Kind == yaml.MappingNode:
				var more shape
				if err := s.Additional.Decode(&more); err != nil {
					panic(err)
				}
				problems = append(problems, d.validate(at+"."+name, more, value)...)
			case s.Additional.Value != "true":
				complain("has the member %s, which is not named", name)
			}
		}
	case []any:
		if s.Type != "array" || s.Items == nil {
			complain("is a list, want %s", s.Type)
			return problems
		}
		for i, item := range x {
			problems = append(problems, d.validate(fmt.Sprintf("%s[%d]", at, i), *s.Items, item)...)
		}
	case string:
		if s.Type != "string" {
			complain("is the text %q, want %s", x, s.Type)
			return problems
		}
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, x) {
			complain("is %q, want one of %v", x, s.Enum)
		}
		if s.MaxLength > 0 && len(x) > s.MaxLength {
			complain("has %d bytes, want %d at most", len(x), s.MaxLength)
		}
		if s.Format == "date-time" {
			if t, err := time.Parse(time.RFC3339, x); err != nil || !strings.HasSuffix(x, "Z") || t.IsZero() {
				complain("is %q, want a time in UTC", x)
			}
		}
	case float64:
		switch {
		case s.Type != "integer" && s.Type != "number":
			complain("is a number, want %s", s.Type)
		case s.Type == "integer" && x != float64(int64(x)):
			complain("is %v, want an integer", x)
		case s.Minimum != nil && x < *s.Minimum, s.Maximum != nil && x > *s.Maximum:
			complain("is %v, out of range", x)
		}
	case bool:
		if s.Type != "boolean" {
			complain("is %v, want %s", x, s.Type)
		}
	default:
		complain("is null, want %s", s.Type)
	}
	return problems
}
