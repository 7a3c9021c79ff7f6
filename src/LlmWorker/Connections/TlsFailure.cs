using System.Security.Authentication;
using System.Security.Cryptography;

namespace LlmPipeline;

/// <summary>Why TLS with an endpoint failed.</summary>
/// <param name="IsFault">Whether a certificate or a setting is wrong, the endpoint's or ours, so that every connection to that node would
/// fail; false where the handshake merely broke off.
/// </param>
/// <param name="Reason">In one sentence; the alert by its name in RFC 8446 where the endpoint sent one.</param>
internal readonly record struct TlsFailure(bool IsFault, string Reason)
{
    // OpenSSL numbers the alerts it receives from here on (ssl.h: SSL_AD_REASON_OFFSET); its library 20 is TLS.
    private const int FirstAlert = 1000;
    private const int LastAlert = FirstAlert + 255;
    private const int TlsLibrary = 20;

    // RFC 8446, section 6.2. What is not a fault of certificates or settings may go better on the next connection.
    private static readonly Dictionary<int, (string Name, bool IsFault)> Alerts = new()
    {
        [10] = ("unexpected_message", false),
        [20] = ("bad_record_mac", false),
        [22] = ("record_overflow", false),
        [40] = ("handshake_failure", true),
        [42] = ("bad_certificate", true),
        [43] = ("unsupported_certificate", true),
        [44] = ("certificate_revoked", true),
        [45] = ("certificate_expired", true),
        [46] = ("certificate_unknown", true),
        [47] = ("illegal_parameter", false),
        [48] = ("unknown_ca", true),
        [49] = ("access_denied", true),
        [50] = ("decode_error", false),
        [51] = ("decrypt_error", false),
        [70] = ("protocol_version", true),
        [71] = ("insufficient_security", true),
        [80] = ("internal_error", false),
        [86] = ("inappropriate_fallback", false),
        [90] = ("user_canceled", false),
        [109] = ("missing_extension", true),
        [110] = ("unsupported_extension", true),
        [112] = ("unrecognized_name", true),
        [113] = ("bad_certificate_status_response", true),
        [115] = ("unknown_psk_identity", true),
        [116] = ("certificate_required", true),
        [120] = ("no_application_protocol", true),
    };

    /// <summary>What TLS has to do with a failed call; null when it has nothing.</summary>
    public static TlsFailure? Of(Exception? failure)
    {
        AuthenticationException? handshake = null;
        var isHandshake = false;
        Exception? last = null;
        for (var one = failure; one is not null; one = one.InnerException)
        {
            last = one;
            handshake ??= one as AuthenticationException;
            isHandshake |= one is HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError };
            // With TLS 1.3 a client's certificate is refused after the handshake, when the answer is read: then only the alert shows it.
            if (Alert(one) is { } alert)
                return OfAlert(alert);
        }

        if (handshake is { InnerException: null } && handshake.Message.Contains("remote certificate", StringComparison.OrdinalIgnoreCase))
            return new TlsFailure(true, $"the endpoint's TLS certificate is refused: {handshake.Message}");
        if (handshake is not null)
            return new TlsFailure(
                true, $"no TLS connection to the endpoint: {(handshake.InnerException is null ? handshake : last!).Message}");
        return isHandshake ? new TlsFailure(false, "the endpoint broke off the TLS handshake") : null;
    }

    private static TlsFailure OfAlert(int alert) => Alerts.TryGetValue(alert, out var known)
        ? new TlsFailure(known.IsFault, $"the endpoint refused the TLS connection with the alert {known.Name} ({alert})")
        : new TlsFailure(true, $"the endpoint refused the TLS connection with the alert {alert}");

    // An error code of OpenSSL 3 has its library in bits 23 to 30, one of OpenSSL 1.1 in the upper eight.
    private static int? Alert(Exception exception)
    {
        if (exception is not CryptographicException)
            return null;
        var reason = exception.HResult & 0xFFF;
        return ((exception.HResult >> 23) & 0xFF) == TlsLibrary || ((exception.HResult >> 24) & 0xFF) == TlsLibrary
            ? reason is >= FirstAlert and <= LastAlert ? reason - FirstAlert : null
            : null;
    }
}
