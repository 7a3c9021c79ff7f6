namespace LlmPipeline;

/// <summary>One LLM endpoint with one quota.</summary>
public sealed class DeploymentOptions
{
    /// <summary>Its name in messages and results; unique among the deployments.</summary>
    public string Name { get; set; } = "";

    /// <summary>Whose API it speaks; OpenAI's by default.</summary>
    public DeploymentKind Kind { get; set; }

    /// <summary>OpenAI: the base URL, ending in <c>/v1</c>. Azure: the resource's URL, such as <c>https://NAME.openai.azure.com</c>. http or https, without a query.</summary>
    public string Endpoint { get; set; } = "";

    /// <summary>The key; null for none. Azure without a key signs in with Azure.Identity's DefaultAzureCredential.</summary>
    public string? ApiKey { get; set; }

    /// <summary>
    /// A file that holds the key, instead of <see cref="ApiKey"/>. It is read again when it changes, so that a key is replaced without a
    /// restart; null for none.
    /// </summary>
    public string? ApiKeyFile { get; set; }

    /// <summary>The model (which is the queue's name) that it serves; null or <c>*</c> for every model that no other deployment names.</summary>
    public string? Model { get; set; }

    /// <summary>The provider's name for the model: the value of <c>model</c> in what is sent, or Azure's deployment name; null for the same name.</summary>
    public string? As { get; set; }

    /// <summary>Azure's api-version; 2024-10-21 by default.</summary>
    public string ApiVersion { get; set; } = "2024-10-21";

    /// <summary>Requests per minute that the provider allows, 1 or more; null for what its answers say, or none.</summary>
    public int? RequestsPerMinute { get; set; }

    /// <summary>Tokens per minute, prompt and completion together, that the provider allows, 1 or more; null for what its answers say, or none.</summary>
    public int? TokensPerMinute { get; set; }

    /// <summary>What the two limits bound: the deployment, the default, or each of its models by itself.</summary>
    public LimitScope LimitScope { get; set; }

    /// <summary>What of a call counts against its tokens per minute; null for what its <see cref="Kind"/> does: Azure what was reserved, others what was used.</summary>
    public TokenCharge? Charge { get; set; }

    /// <summary>Calls at once, 1 or more, of all workers of a fleet; null for as many as the server takes without slowing down, or as its quota lets pass.</summary>
    public int? Concurrency { get; set; }

    /// <summary>Deployments of one model are used from the lowest number up; those of equal number share the work by free quota. 0 by default.</summary>
    public int Priority { get; set; }

    /// <summary>How long one call may take, where the job does not say; null for <see cref="LlmOptions.AttemptTimeout"/>.</summary>
    public TimeSpan? AttemptTimeout { get; set; }

    /// <summary>What its tokens cost; null for what <see cref="LlmOptions.Prices"/> says of the model.</summary>
    public TokenPrice? Price { get; set; }

    /// <summary>
    /// Headers of each call, such as <c>OpenAI-Organization</c> or a gateway's own key. They take the place of what the client would send;
    /// <c>Authorization</c> only without an <see cref="ApiKey"/>. Their values are kept out of messages and logs.
    /// </summary>
    public IDictionary<string, string> Headers { get; set; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Fields of the query of each call. Their values are escaped, and kept out of messages and logs.</summary>
    public IDictionary<string, string> Query { get; set; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>
    /// The certificate that is shown to an endpoint that wants one: a file in PEM, with its key and possibly the certificates between it
    /// and its authority, or PKCS#12; null for none.
    /// </summary>
    public string? ClientCertificate { get; set; }

    /// <summary>The key of <see cref="ClientCertificate"/> in a PEM file of its own; null when it is in the same file.</summary>
    public string? ClientCertificateKey { get; set; }

    /// <summary>The password of the key or of the PKCS#12 file; null for none.</summary>
    public string? ClientCertificatePassword { get; set; }

    /// <summary>
    /// A PEM file with one or more root certificates that are trusted for this deployment, instead of those of the system; null for the
    /// system's.
    /// </summary>
    public string? CertificateAuthority { get; set; }

    internal bool HasKey => ApiKey is not null || ApiKeyFile is not null;

    internal TokenCharge Charges => Charge ?? (Kind == DeploymentKind.AzureOpenAI ? TokenCharge.Reserved : TokenCharge.Used);

    internal bool ServesAll => Model is null or "" or "*";
}
