using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace LlmPipeline;

/// <summary>The certificates of a deployment, from the files that its settings name.</summary>
internal static class EndpointCertificates
{
    /// <summary>Whom to trust instead of the system's authorities; null where the settings name nobody.</summary>
    /// <exception cref="LlmSettingsException">The file cannot be used; the message begins with the field.</exception>
    public static X509ChainPolicy? Trust(DeploymentOptions options)
    {
        if (options.CertificateAuthority is not { Length: > 0 } path)
            return null;
        var authorities = new X509Certificate2Collection();
        Read(nameof(DeploymentOptions.CertificateAuthority), path, () => authorities.ImportFromPem(File.ReadAllText(path)));
        if (authorities.Count == 0)
            throw Fault(nameof(DeploymentOptions.CertificateAuthority), path, "holds no certificate in PEM");
        if (authorities.All(IsExpired))
            throw Fault(
                nameof(DeploymentOptions.CertificateAuthority),
                path,
                $"expired on {authorities.Max(one => one.NotAfter).ToUniversalTime():yyyy-MM-dd}");
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(authorities);
        return policy;
    }

    /// <summary>
    /// What the process shows to an endpoint that asks who calls, with the certificates between it and its authority; null for nothing.
    /// </summary>
    /// <exception cref="LlmSettingsException">As above.</exception>
    public static SslStreamCertificateContext? Client(DeploymentOptions options)
    {
        const string Field = nameof(DeploymentOptions.ClientCertificate);
        if (options.ClientCertificate is not { Length: > 0 } path)
        {
            return options.ClientCertificateKey is { Length: > 0 } || options.ClientCertificatePassword is { Length: > 0 }
                ? throw new LlmSettingsException($"{Field}: is missing, but its key or password is there")
                : null;
        }

        X509Certificate2Collection all = [];
        Read(Field, path, () =>
        {
            var bytes = File.ReadAllBytes(path);
            if (bytes.AsSpan().IndexOf("-----BEGIN"u8) >= 0)
                ReadPem(options, path, all);
            else
                all.AddRange(X509CertificateLoader.LoadPkcs12Collection(bytes, options.ClientCertificatePassword));
        });
        var own = all.FirstOrDefault(one => one.HasPrivateKey) ?? throw Fault(Field, path, "holds no private key");
        if (IsExpired(own))
            throw Fault(Field, path, $"expired on {own.NotAfter.ToUniversalTime():yyyy-MM-dd}");
        if (own.NotBefore.ToUniversalTime() > Now)
            throw Fault(Field, path, $"is not valid before {own.NotBefore.ToUniversalTime():yyyy-MM-dd HH:mm} UTC");
        all.Remove(own);
        // Not online: what is missing of the chain is not fetched from anywhere.
        return SslStreamCertificateContext.Create(own, all, offline: true);
    }

    private static DateTime Now => TimeProvider.System.GetUtcNow().UtcDateTime;

    private static bool IsExpired(X509Certificate2 certificate) => certificate.NotAfter.ToUniversalTime() < Now;

    private static void ReadPem(DeploymentOptions options, string path, X509Certificate2Collection all)
    {
        var (certificates, key) = (File.ReadAllText(path), options.ClientCertificateKey is { Length: > 0 } file ? ReadKey(file) : null);
        all.ImportFromPem(certificates);
        if (all.Count == 0)
            throw Fault(nameof(DeploymentOptions.ClientCertificate), path, "holds no certificate");
        if (!(key ?? certificates).Contains("PRIVATE KEY-----", StringComparison.Ordinal))
        {
            throw key is null
                ? Fault(
                    nameof(DeploymentOptions.ClientCertificate),
                    path,
                    "holds no private key: put it into the file, or name its own by ClientCertificateKey")
                : Fault(nameof(DeploymentOptions.ClientCertificateKey), options.ClientCertificateKey!, "holds no private key");
        }

        using var own = options.ClientCertificatePassword is { Length: > 0 } password
            && (key ?? certificates).Contains("ENCRYPTED PRIVATE KEY-----", StringComparison.Ordinal)
            ? X509Certificate2.CreateFromEncryptedPem(certificates, key ?? certificates, password)
            : X509Certificate2.CreateFromPem(certificates, key ?? certificates);
        // The first one is the same without its key. Windows' TLS takes no key that is in memory only, and this is how it becomes another.
        all[0].Dispose();
        all[0] = X509CertificateLoader.LoadPkcs12(own.Export(X509ContentType.Pkcs12), null);
    }

    private static string ReadKey(string path)
    {
        var text = "";
        Read(nameof(DeploymentOptions.ClientCertificateKey), path, () => text = File.ReadAllText(path));
        return text;
    }

    private static void Read(string field, string path, Action read)
    {
        try
        {
            read();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw Fault(field, path, "there is no such file");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Fault(field, path, "cannot be read");
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            // The message of .NET names no file, and may hold a part of it.
            throw Fault(field, path, "cannot be used: it is broken, its password is wrong or missing, or the key is another certificate's");
        }
    }

    private static LlmSettingsException Fault(string field, string path, string fault) => new($"{field}: {path}: {fault}");
}
