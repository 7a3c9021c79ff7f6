using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace LlmPipeline.Tests;

/// <summary>A certificate authority of a test, with the files that settings name.</summary>
internal sealed class TestAuthority : IDisposable
{
    private readonly X509Certificate2 _root;
    private readonly string _folder = Directory.CreateTempSubdirectory("llmpipe-test-").FullName;
    private int _files;

    public TestAuthority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=Test authority {Guid.NewGuid()}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        _root = request.CreateSelfSigned(TimeProvider.System.GetUtcNow().AddYears(-2), TimeProvider.System.GetUtcNow().AddYears(1));
    }

    public string Pem => _root.ExportCertificatePem();

    /// <summary>A certificate with its key.</summary>
    public X509Certificate2 Issue(string name, int daysLeft = 30)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        var until = TimeProvider.System.GetUtcNow().AddDays(daysLeft);
        using var bare = request.Create(_root, until.AddDays(-60), until, RandomNumberGenerator.GetBytes(8));
        return bare.CopyWithPrivateKey(key);
    }

    public bool HasIssued(X509Certificate? certificate)
    {
        if (certificate is null)
            return false;
        using var chain =
            new X509Chain { ChainPolicy = { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck } };
        chain.ChainPolicy.CustomTrustStore.Add(_root);
        return chain.Build(new X509Certificate2(certificate));
    }

    public string Write(string text)
    {
        var path = Path.Join(_folder, $"{++_files}.pem");
        File.WriteAllText(path, text);
        return path;
    }

    public string Write(byte[] bytes)
    {
        var path = Path.Join(_folder, $"{++_files}.p12");
        File.WriteAllBytes(path, bytes);
        return path;
    }

    public void Dispose()
    {
        _root.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
