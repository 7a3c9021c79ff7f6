using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Azure.Identity;
using Polly.Timeout;

namespace LlmPipeline;

/// <summary>The part of the outcome table that has no answer of the endpoint: what kept a call from being made, or broke it off.</summary>
internal static class ConnectionFailures
{
    private const int LongestMessage = 300;

    /// <summary>The row of the table.</summary>
    public static Classified Classify(Exception? failure) => failure switch
    {
        QuotaClosedException closed => new Classified(OutcomeKind.NotSent, "quota_closed", "the provider asked to wait", closed.RetryAfter),
        CircuitOpenException broken =>
            new Classified(
                OutcomeKind.NotSent, "circuit_open", "the endpoint kept failing and is left alone for a while", broken.RetryAfter),
        TimeoutRejectedException timeout =>
            new Classified(OutcomeKind.Transient, "request_timeout", $"no answer within {timeout.Timeout.TotalSeconds:0.###} s"),
        _ when Find<AuthenticationFailedException>(failure) is { } signIn => OfSignIn(signIn),
        _ when Find<ProxyException>(failure) is { } proxy => OfProxy(proxy),
        _ when Find<TlsException>(failure) is { } twice => new Classified(
            twice.IsConfirmed ? OutcomeKind.DeploymentFault : OutcomeKind.Transient, "tls_error",
            $"{SafeText.Line(twice.Failure.Reason, LongestMessage)}, and so on a second connection", IsDown: true),
        _ when TlsFailure.Of(failure) is { } tls =>
            new Classified(OutcomeKind.Transient, "tls_error", SafeText.Line(tls.Reason, LongestMessage), IsDown: true),
        HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } => Down("the endpoint's host name was not found"),
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } =>
            Down($"the endpoint cannot be reached{Reason(failure)}"),
        // The handler's connect timeout comes as a cancellation that nobody asked for.
        OperationCanceledException => Down("the endpoint could not be connected to in time"),
        HttpRequestException or IOException =>
            new Classified(OutcomeKind.Transient, "connection_error", "the connection broke before the answer was whole"),
        _ => new Classified(OutcomeKind.Transient, "invalid_response", "the answer could not be read"),
    };

    /// <summary>Whether the call reached nobody who could have charged for it.</summary>
    public static bool IsUnsent(Exception failure) => failure
        is HttpRequestException
        {
            HttpRequestError: HttpRequestError.ConnectionError
                or HttpRequestError.NameResolutionError
                or HttpRequestError.SecureConnectionError
                or HttpRequestError.ProxyTunnelError,
        }
        or OperationCanceledException { InnerException: TimeoutException };

    // RFC 9110, 9.3.6: any answer to CONNECT but a 2xx means that there is no tunnel, and the status says why.
    private static Classified OfProxy(ProxyException failure) => failure switch
    {
        { StatusCode: HttpStatusCode.ProxyAuthenticationRequired } => new Classified(
            OutcomeKind.DeploymentFault, "proxy_authentication_required",
            $"the proxy {failure.Proxy} wants a user and password (HTTP 407): HTTPS_PROXY or HTTP_PROXY lacks them, or they are wrong"),
        { StatusCode: { } status } when (int)status is 408 or 425 or 429 or >= 500 => new Classified(
            OutcomeKind.Transient, "proxy_refused", $"the proxy {failure.Proxy} could not reach the endpoint (HTTP {(int)status})",
            IsDown: true),
        { StatusCode: { } status } =>
            new Classified(
                OutcomeKind.DeploymentFault, "proxy_refused", $"the proxy {failure.Proxy} refused the call (HTTP {(int)status})"),
        { HttpRequestError: HttpRequestError.NameResolutionError } => new Classified(
            OutcomeKind.Transient, "proxy_unreachable", $"the host name of the proxy {failure.Proxy} was not found", IsDown: true),
        { HttpRequestError: HttpRequestError.ConnectionError } =>
            new Classified(OutcomeKind.Transient, "proxy_unreachable", $"the proxy {failure.Proxy} cannot be reached", IsDown: true),
        { InnerException: OperationCanceledException } => new Classified(
            OutcomeKind.Transient, "proxy_unreachable", $"the proxy {failure.Proxy} made no connection in time", IsDown: true),
        // SOCKS has no status.
        { HttpRequestError: HttpRequestError.ProxyTunnelError } => OfSocks(failure),
        _ =>
            new Classified(
                OutcomeKind.Transient,
                "connection_error",
                $"the connection through the proxy {failure.Proxy} broke before the answer was whole"),
    };

    private static Classified OfSocks(ProxyException failure)
    {
        var reason = failure.InnerException?.InnerException?.Message ?? "no tunnel";
        return reason.Contains("authenticat", StringComparison.OrdinalIgnoreCase)
            ? new Classified(
                OutcomeKind.DeploymentFault,
                "proxy_authentication_required",
                $"the proxy {failure.Proxy} wants another user and password: {SafeText.Line(reason, LongestMessage)}")
            : new Classified(
                OutcomeKind.Transient,
                "proxy_refused",
                $"the proxy {failure.Proxy} made no connection: {SafeText.Line(reason, LongestMessage)}",
                IsDown: true);
    }

    private static Classified OfSignIn(AuthenticationFailedException signIn) =>
        Find<Azure.RequestFailedException>(signIn) is { Status: 0 or 408 or 429 or >= 500 }
        ? Down("the sign-in service cannot be reached")
        : new Classified(OutcomeKind.DeploymentFault, "identity_error", SafeText.Line(signIn.Message, LongestMessage));

    // In few words, as people know them from other programs.
    private static string Reason(Exception failure) => Find<SocketException>(failure)?.SocketErrorCode switch
    {
        SocketError.ConnectionRefused => ": connection refused",
        SocketError.HostUnreachable or SocketError.NetworkUnreachable => ": no route to it",
        SocketError.ConnectionReset => ": connection reset",
        SocketError.TimedOut => ": no answer",
        _ => "",
    };

    private static Classified Down(string message) => new(OutcomeKind.Transient, "connection_error", message, IsDown: true);

    private static T? Find<T>(Exception? exception)
        where T : Exception
    {
        for (; exception is not null; exception = exception.InnerException)
        {
            if (exception is T found)
                return found;
        }

        return null;
    }
}
