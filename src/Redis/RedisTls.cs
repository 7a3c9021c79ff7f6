using System.Net;
using System.Net.Security;
using System.Runtime.CompilerServices;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// The certificates of a connection to Redis that are files: of the client, and of the authorities that the server's is checked against.
/// They are read for each handshake, so that renewed ones are used without a restart.
/// </summary>
/// <param name="Certificate">The client's certificate and those between it and its authority, PEM; null for none.</param>
/// <param name="Key">Its key, PEM; null when it is in the same file.</param>
/// <param name="Authorities">Authorities to trust instead of the machine's, PEM; null for the machine's.</param>
internal sealed record RedisTls(string? Certificate, string? Key, string? Authorities)
{
    private static readonly ConditionalWeakTable<ConfigurationOptions, RedisTls> Known = [];

    /// <summary>Uses them for the connections of <paramref name="options"/>.</summary>
    /// <exception cref="FormatException">A file is missing or holds no certificate.</exception>
    public void Apply(ConfigurationOptions options)
    {
        foreach (var file in new[] { Certificate, Key, Authorities })
        {
            if (file is not null && !File.Exists(file))
                throw new FormatException($"{file}: there is no such file");
        }

        if (Key is not null && Certificate is null)
            throw new FormatException($"key={Key} needs a cert");
        if (!options.Ssl)
            throw new FormatException("certificates are for TLS: rediss://, or ssl=true");
        try
        {
            Options(options.SslHost ?? "");
        }
        catch (CryptographicException e)
        {
            throw new FormatException($"{Certificate ?? Authorities}: {e.Message}", e);
        }

        Known.Add(options, this);
        options.SslClientAuthenticationOptions = host => Options(options.SslHost ?? host);
    }

    /// <summary>Whether the connections of <paramref name="options"/> show a certificate.</summary>
    public static bool HasCertificate(ConfigurationOptions options) =>
        Known.TryGetValue(options, out var files) && files.Certificate is not null;

    /// <summary>How a handshake with <paramref name="server"/> is made.</summary>
    public static SslClientAuthenticationOptions Of(ConfigurationOptions options, EndPoint server)
    {
        var host = options.SslHost ?? (server switch
        {
            DnsEndPoint dns => dns.Host,
            IPEndPoint ip => ip.Address.ToString(),
            _ => "localhost",
        });
        return options.SslClientAuthenticationOptions?.Invoke(host) ?? new SslClientAuthenticationOptions
        {
            TargetHost = host,
            EnabledSslProtocols = options.SslProtocols ?? SslProtocols.None,
            CertificateRevocationCheckMode = options.CheckCertificateRevocation ? X509RevocationMode.Online : X509RevocationMode.NoCheck,
        };
    }

    private SslClientAuthenticationOptions Options(string host)
    {
        var options = new SslClientAuthenticationOptions { TargetHost = host };
        if (Certificate is not null)
            options.ClientCertificates = [Load(Certificate, Key)];
        if (Authorities is not null)
        {
            var trusted = new X509Certificate2Collection();
            trusted.ImportFromPemFile(Authorities);
            options.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            };
            options.CertificateChainPolicy.CustomTrustStore.AddRange(trusted);
        }

        return options;
    }

    private static X509Certificate2 Load(string certificate, string? key)
    {
        using var pem = X509Certificate2.CreateFromPemFile(certificate, key);
        // A key in memory only cannot be used by every platform's TLS.
        return X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
    }
}
