package adapters

import (
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/gin-gonic/gin"

	"github.com/lanyard-go/lanyard"
)

// Gin is the application in gin. Sessions is the manager's Handler, as middleware;
// or nothing, if Handler stands around the whole router.
func Gin(a *App, sessions ...func(http.Handler) http.Handler) http.Handler {
	r := gin.New()
	r.Use(recovery())
	for _, s := range sessions {
		r.Use(ginWrap(s))
	}
	r.POST("/login", gin.WrapF(a.Login))
	r.POST("/logout", gin.WrapF(a.Logout))

	own := r.Group("", ginWrap(a.SignedIn))
	own.POST("/confirm", gin.WrapF(a.Confirm))
	own.GET("/events", gin.WrapF(a.Events))
	own.GET("/socket", gin.WrapF(a.Socket))
	own.GET("/broken", func(*gin.Context) { broken() })
	own.GET("/me", func(c *gin.Context) {
		c.JSON(http.StatusOK, a.profile(lanyard.From(c.Request.Context())))
	})
	own.PUT("/settings/:name", ginWrap(a.Recent), func(c *gin.Context) {
		if err := a.set(lanyard.From(c.Request.Context()), c.Param("name"), c.Request.Body); err != nil {
			c.String(http.StatusBadRequest, "cannot be read")
		}
	})
	return r
}

// ginWrap makes net/http middleware into gin's. What the middleware put into the
// request's context goes on; and if it answered by itself, so that its inner
// handler never ran, gin must not go on to the route, as it would on its own.
func ginWrap(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed = true
			c.Request = r
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort()
		}
	}
}

// recovery is gin's own without its log, which writes out the request with its
// Cookie header: in debug mode always, in release mode when a connection breaks.
func recovery() gin.HandlerFunc {
	return gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, reason any) {
		slog.ErrorContext(c, "a handler panicked", slog.Any("reason", reason), slog.String("stack", string(debug.Stack())))
		c.AbortWithStatus(http.StatusInternalServerError)
	})
}
