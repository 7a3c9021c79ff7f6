using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace LlmPipeline.Tests;

/// <summary>
/// Certificates of endpoints and of clients: <see cref="EndpointCertificates"/>, <see cref="TlsFailure"/> and the second connection of
/// <see cref="ConnectionHandler"/>.
/// </summary>
public sealed class ConnectingWithTls : IDisposable
{
    private readonly TestAuthority _authority = new();
    private readonly X509Certificate2 _good;
    private readonly X509Certificate2 _expired;

    public ConnectingWithTls() => (_good, _expired) = (_authority.Issue("localhost"), _authority.Issue("localhost", daysLeft: -3));

    public void Dispose()
    {
        _good.Dispose();
        _expired.Dispose();
        _authority.Dispose();
    }

    [Fact]
    public async Task An_authority_of_the_settings_is_trusted_and_without_it_nobody_vouches()
    {
        await using var endpoint = new TlsEndpoint(_ => _good);

        var (trusted, _) = await CallAsync(endpoint, options => options.CertificateAuthority = _authority.Write(_authority.Pem));
        var (foreign, closed) = await CallAsync(endpoint, _ => { });

        Assert.Equal(CallVerdict.Completed, trusted.Verdict);
        Assert.Equal((CallVerdict.Retry, "tls_error"), (foreign.Verdict, foreign.ErrorCode));
        Assert.Contains("certificate chain", closed, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_systems_authorities_do_not_count_beside_one_of_the_settings()
    {
        using var other = new TestAuthority();
        await using var endpoint = new TlsEndpoint(_ => _good);

        var (outcome, _) = await CallAsync(endpoint, options => options.CertificateAuthority = _authority.Write(other.Pem));
        var (both, _) = await CallAsync(
            endpoint, options => options.CertificateAuthority = _authority.Write(other.Pem + "\n" + _authority.Pem));

        Assert.Equal("tls_error", outcome.ErrorCode);
        Assert.Equal(CallVerdict.Completed, both.Verdict);
    }

    [Fact]
    public async Task One_node_with_an_expired_certificate_costs_no_attempt_and_closes_nothing()
    {
        await using var endpoint = new TlsEndpoint(n => n % 2 == 1 ? _expired : _good);
        await using var caller = Caller(endpoint, Trusting);

        for (var call = 0; call < 4; call++)
        {
            var outcome = await caller.CallAsync(CallerHouse.Request(), 0, default);
            Assert.Equal((CallVerdict.Completed, 1), (outcome.Verdict, outcome.Attempts));
        }

        Assert.Null(caller.BlockageOf(CallerHouse.Model));
        Assert.Equal(8, endpoint.Connections);
    }

    [Fact]
    public async Task A_certificate_that_a_second_connection_meets_too_closes_the_deployment_and_is_named()
    {
        await using var endpoint = new TlsEndpoint(_ => _expired);

        var (outcome, closed) = await CallAsync(endpoint, Trusting);

        Assert.Equal((CallVerdict.Retry, "tls_error", 0), (outcome.Verdict, outcome.ErrorCode, outcome.Attempts));
        Assert.Contains("NotTimeValid", closed, StringComparison.Ordinal);
        Assert.Contains("on a second connection", closed, StringComparison.Ordinal);
        Assert.Equal(2, endpoint.Connections);
    }

    [Fact]
    public async Task While_other_calls_are_answered_two_bad_connections_close_nothing()
    {
        await using var endpoint = new TlsEndpoint(n => n is 2 or 3 ? _expired : _good);
        await using var caller = Caller(endpoint, Trusting);

        var first = await caller.CallAsync(CallerHouse.Request(), 0, default);
        var second = await caller.CallAsync(CallerHouse.Request(), 0, default);

        Assert.Equal((CallVerdict.Completed, CallVerdict.Completed, 2), (first.Verdict, second.Verdict, second.Attempts));
        Assert.Null(caller.BlockageOf(CallerHouse.Model));
    }

    [Fact]
    public async Task A_handshake_that_breaks_off_is_tried_again_like_any_lost_connection()
    {
        await using var endpoint = new TlsEndpoint(n => n <= 2 ? null : _good);
        await using var caller = Caller(endpoint, Trusting);

        var outcome = await caller.CallAsync(CallerHouse.Request(), 0, default);

        Assert.Equal((CallVerdict.Completed, 3), (outcome.Verdict, outcome.Attempts));
        Assert.Null(caller.BlockageOf(CallerHouse.Model));
    }

    [Theory]
    [InlineData("pem")]
    [InlineData("pem and key")]
    [InlineData("encrypted key")]
    [InlineData("pkcs12")]
    [InlineData("pkcs12 with password")]
    public async Task A_client_certificate_is_shown_to_an_endpoint_that_wants_one(string form)
    {
        using var client = _authority.Issue("client");
        using var key = client.GetECDsaPrivateKey()!;
        await using var endpoint = new TlsEndpoint(_ => _good, _authority.HasIssued);

        var (outcome, closed) = await CallAsync(endpoint, options =>
        {
            Trusting(options);
            switch (form)
            {
                case "pem":
                    options.ClientCertificate = _authority.Write(client.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem());
                    break;
                case "pem and key":
                    options.ClientCertificate = _authority.Write(client.ExportCertificatePem());
                    options.ClientCertificateKey = _authority.Write(key.ExportECPrivateKeyPem());
                    break;
                case "encrypted key":
                    options.ClientCertificate = _authority.Write(client.ExportCertificatePem());
                    options.ClientCertificateKey = _authority.Write(
                        key.ExportEncryptedPkcs8PrivateKeyPem(
                            "open sesame", new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000)));
                    options.ClientCertificatePassword = "open sesame";
                    break;
                case "pkcs12":
                    options.ClientCertificate = _authority.Write(client.Export(X509ContentType.Pkcs12));
                    break;
                default:
                    options.ClientCertificate = _authority.Write(client.Export(X509ContentType.Pkcs12, "open sesame"));
                    options.ClientCertificatePassword = "open sesame";
                    break;
            }
        });

        Assert.True(outcome.Verdict == CallVerdict.Completed, closed ?? outcome.ErrorMessage);
    }

    [Theory]
    [InlineData("-tls1_3")]
    [InlineData("-tls1_2")]
    public async Task An_endpoint_that_misses_a_client_certificate_is_recognised_by_its_alert(string version)
    {
        // OpenSSL's server, because .NET's closes the connection without an alert.
        using var key = _good.GetECDsaPrivateKey()!;
        var (certificate, authority) =
            (_authority.Write(_good.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem()), _authority.Write(_authority.Pem));
        var start =
            new ProcessStartInfo("openssl") { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (var argument in (string[])["s_server", "-accept", "127.0.0.1:0", version, "-cert", certificate, "-CAfile", authority, "-Verify", "1", "-verify_return_error", "-www"])
            start.ArgumentList.Add(argument);
        using var server = Process.Start(start)!;
        try
        {
            string? line;
            do
                line = await server.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(30));
            while (line?.StartsWith("ACCEPT ", StringComparison.Ordinal) == false);
            await using var caller = CallerHouse.Caller(
                CallerHouse.Options(Options($"https://localhost:{line!.Split(':')[1]}/v1", Trusting)));

            var outcome = await caller.CallAsync(CallerHouse.Request(), 0, default);

            Assert.Equal((CallVerdict.Retry, "tls_error"), (outcome.Verdict, outcome.ErrorCode));
            // RFC 8446 has an alert of its own for it, RFC 5246 the general one.
            Assert.Contains(
                version == "-tls1_3" ? "alert certificate_required (116)" : "alert handshake_failure (40)",
                caller.BlockageOf(CallerHouse.Model)?.Reason,
                StringComparison.Ordinal);
        }
        finally
        {
            server.Kill();
        }
    }

    [Fact]
    public void A_file_that_cannot_be_used_is_reported_with_its_field_before_anything_is_called()
    {
        using var client = _authority.Issue("client");
        using var old = _authority.Issue("client", daysLeft: -1);
        using var key = client.GetECDsaPrivateKey()!;
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var pem = client.ExportCertificatePem();
        string OldPem()
        {
            using var oldKey = old.GetECDsaPrivateKey()!;
            return old.ExportCertificatePem() + "\n" + oldKey.ExportPkcs8PrivateKeyPem();
        }

        Assert.Equal("CertificateAuthority: /no/such.pem: there is no such file", Fault(o => o.CertificateAuthority = "/no/such.pem"));
        Assert.EndsWith(
            "holds no certificate in PEM", Fault(o => o.CertificateAuthority = _authority.Write("# nothing")), StringComparison.Ordinal);
        Assert.Contains(
            "expired on ", Fault(o => o.CertificateAuthority = _authority.Write(old.ExportCertificatePem())), StringComparison.Ordinal);
        Assert.Equal("ClientCertificate: /no/such.pem: there is no such file", Fault(o => o.ClientCertificate = "/no/such.pem"));
        Assert.Contains(
            "holds no private key: put it into the file",
            Fault(o => o.ClientCertificate = _authority.Write(pem)),
            StringComparison.Ordinal);
        Assert.Contains("expired on ", Fault(o => o.ClientCertificate = _authority.Write(OldPem())), StringComparison.Ordinal);
        Assert.Contains(
            "cannot be used",
            Fault(o => o.ClientCertificate = _authority.Write(pem + "\n" + stranger.ExportPkcs8PrivateKeyPem())),
            StringComparison.Ordinal);
        Assert.Contains(
            "cannot be used", Fault(o => o.ClientCertificate = _authority.Write("no certificate at all")), StringComparison.Ordinal);
        Assert.Contains(
            "cannot be used",
            Fault(o => o.ClientCertificate = _authority.Write(client.Export(X509ContentType.Pkcs12, "right"))),
            StringComparison.Ordinal);
        Assert.Equal(
            "ClientCertificateKey: /no/such.key: there is no such file",
            Fault(o => (o.ClientCertificate, o.ClientCertificateKey) = (_authority.Write(pem), "/no/such.key")));
        Assert.Contains(
            "ClientCertificateKey: ",
            Fault(o => (o.ClientCertificate, o.ClientCertificateKey) = (_authority.Write(pem), _authority.Write(pem))),
            StringComparison.Ordinal);
        Assert.StartsWith(
            "ClientCertificate: is missing",
            Fault(o => o.ClientCertificateKey = _authority.Write(key.ExportPkcs8PrivateKeyPem())),
            StringComparison.Ordinal);
        Assert.Equal(
            "ClientCertificate: is for https endpoints only",
            Fault(
                o =>
                    (o.Endpoint, o.ClientCertificate) =
                        ("http://localhost/v1", _authority.Write(pem + "\n" + key.ExportPkcs8PrivateKeyPem()))));
        Assert.Equal(
            "CertificateAuthority: is for https endpoints only",
            Fault(o => (o.Endpoint, o.CertificateAuthority) = ("http://localhost/v1", _authority.Write(_authority.Pem))));

        string Fault(Action<DeploymentOptions> set)
        {
            var fault = Assert.Single(CallerHouse.Options(Options("https://localhost/v1", set)).Faults());
            Assert.DoesNotContain("PRIVATE KEY", fault, StringComparison.Ordinal);
            return fault["Deployments[one].".Length..];
        }
    }

    private void Trusting(DeploymentOptions options) => options.CertificateAuthority = _authority.Write(_authority.Pem);

    private static async Task<(CallOutcome Outcome, string? Closed)> CallAsync(TlsEndpoint endpoint, Action<DeploymentOptions> set)
    {
        await using var caller = Caller(endpoint, set);
        return (await caller.CallAsync(CallerHouse.Request(), 0, default), caller.BlockageOf(CallerHouse.Model)?.Reason);
    }

    private static LlmCaller Caller(TlsEndpoint endpoint, Action<DeploymentOptions> set) =>
        CallerHouse.Caller(CallerHouse.Options(Options(endpoint.Url, set)));

    private static DeploymentOptions Options(string url, Action<DeploymentOptions> set)
    {
        var options = new DeploymentOptions { Name = "one", Endpoint = url };
        set(options);
        return options;
    }
}
