using System.Reflection;

namespace LlmPipeline;

/// <summary>The verbs of files and batches, one script each.</summary>
internal static class GatewayScripts
{
    public static readonly RedisScript SaveFile = Load("save-file");
    public static readonly RedisScript DeleteFile = Load("delete-file");
    public static readonly RedisScript CreateBatch = Load("create-batch");
    public static readonly RedisScript DriveBatch = Load("drive-batch");
    public static readonly RedisScript MoveBatch = Load("move-batch");
    public static readonly RedisScript CancelBatch = Load("cancel-batch");
    public static readonly RedisScript EndBatch = Load("end-batch");

    private static RedisScript Load(string name) => RedisScript.Load(Assembly.GetExecutingAssembly(), name);
}
